"""A fetched page -> its document, and a document -> the chunks of an indexed page."""

import asyncio
import hashlib
from dataclasses import replace
from urllib.parse import urlsplit

from flowchat.domain import Document, PageFacts, PageOutcome
from flowchat.ingest.chunk import CountTokens, chunk_blocks
from flowchat.ingest.decode import decode
from flowchat.ingest.duplicates import simhash
from flowchat.ingest.extract import extract_html, extract_markdown, extract_text
from flowchat.ingest.files import CONTENT_TYPES, content_type_of, read_file
from flowchat.net.fetch import Fetched

_HTML = ("text/html", "application/xhtml+xml")
_FILES = (CONTENT_TYPES[".pdf"], CONTENT_TYPES[".docx"])
_ANY = ("", "application/octet-stream", "binary/octet-stream")  # servers say so of types that they don't know


async def read_document(fetched: Fetched) -> Document | None:
    """The document of a page, by its content type; None for what has no text to read.

    Raises FlowChatError `bad_document` for a damaged file.
    """
    name = urlsplit(fetched.url).path.rpartition("/")[2]
    kind = fetched.content_type
    if kind in _ANY:
        kind = content_type_of(name, "") or ("" if kind else _HTML[0])
    if kind in _FILES:
        return await read_file(name, kind, fetched.body)
    if kind == "text/plain" and content_type_of(name, kind) == "text/markdown":
        kind = "text/markdown"
    return await asyncio.to_thread(_read_text, kind, fetched)


def _read_text(kind: str, fetched: Fetched) -> Document | None:
    if kind in _HTML:
        return extract_html(decode(fetched.body, fetched.charset))
    if kind == "text/markdown":
        return extract_markdown(decode(fetched.body, fetched.charset))
    if kind == "text/plain":
        return extract_text(decode(fetched.body, fetched.charset))
    return None


def index_outcome(outcome: PageOutcome, document: Document, count_tokens: CountTokens) -> PageOutcome:
    """The outcome with the document's chunks, or skipped for having none."""
    chunks = tuple(chunk_blocks(document.blocks, count_tokens))
    if not chunks:
        return replace(outcome, status="skipped", reason="no_content")
    whole = "\x00".join("\x01".join((*chunk.headings, chunk.anchor, chunk.text)) for chunk in chunks)
    facts = replace(outcome.facts, simhash=simhash("\n".join(chunk.text for chunk in chunks)))
    digest = hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()
    return replace(outcome, status="indexed", reason=None, content_hash=digest, chunks=chunks, facts=facts)


def facts_of(document: Document, fetched: Fetched) -> PageFacts:
    """What a page says of itself. Its outlinks are the crawl's to find."""
    return PageFacts(
        description=document.description,
        language=document.language,
        published=document.published,
        modified=document.modified,
        etag=fetched.etag,
        last_modified=fetched.last_modified,
    )
