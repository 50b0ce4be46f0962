"""Pages that need no crawl: uploaded documents, FlowChat's own, and a version that is embedded anew."""

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from importlib.resources import files

from flowchat.domain import NewChunk, Page, PageOutcome, StoredDocument
from flowchat.errors import FlowChatError
from flowchat.ingest.chunk import CountTokens
from flowchat.ingest.extract import extract_markdown
from flowchat.ingest.files import read_file
from flowchat.ingest.read import index_outcome
from flowchat.store import chunks as chunk_store
from flowchat.store import documents, pages
from flowchat.store.database import Database

DOCS_PREFIX = "/docs/"


def builtin_documents() -> dict[str, str]:
    """{name: Markdown} of the documentation that ships with FlowChat."""
    folder = files("flowchat") / "assets" / "docs"
    entries = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".md")), key=lambda e: e.name)
    return {entry.name.removesuffix(".md"): entry.read_text(encoding="utf-8") for entry in entries}


def builtin_hash() -> str:
    """Changes when the documentation does."""
    return hashlib.sha256(repr(builtin_documents()).encode()).hexdigest()


async def builtin_outcomes(done: set[str], count_tokens: CountTokens) -> AsyncGenerator[PageOutcome, None]:
    """The pages of the built-in documentation whose URL is not in `done`."""
    for name, text in builtin_documents().items():
        url = DOCS_PREFIX + name
        if url not in done:
            document = extract_markdown(text)
            outcome = PageOutcome(url, 0, "indexed", title=document.title)
            yield index_outcome(outcome, document, count_tokens)


async def uploaded_outcomes(
    db: Database, source_id: str, former: list[Page], done: set[str], count_tokens: CountTokens
) -> AsyncGenerator[PageOutcome, None]:
    """A source's documents whose URL is not in `done`; one that a former version has as it is comes from there."""
    unchanged = {(page.url, page.content_hash): page for page in former if page.status == "indexed"}
    for document in await documents.all_of(db, source_id):
        if document.url in done:
            continue
        page = unchanged.get((document.url, document.content_hash))
        if page is not None:
            yield await _stored(db, page)
        elif (content := await documents.content(db, document.id)) is not None:
            yield await _read(document, content, count_tokens)


async def _read(document: StoredDocument, content: bytes, count_tokens: CountTokens) -> PageOutcome:
    outcome = PageOutcome(document.url, 0, "failed", "bad_document", content_hash=document.content_hash)
    try:
        read = await read_file(document.name, document.content_type, content)
    except FlowChatError:  # a newer FlowChat may be stricter than the one that took the upload
        return outcome
    indexed = index_outcome(replace(outcome, title=read.title), read, count_tokens)
    return replace(indexed, content_hash=document.content_hash)


async def stored_outcomes(
    db: Database, version: int, listed: list[Page], done: set[str]
) -> AsyncGenerator[PageOutcome, None]:
    """The indexed pages of a former version, with their facts and their chunks as they are stored."""
    for entry in listed:
        page = await pages.find(db, version, entry.url)
        if page is not None and page.url not in done and page.status == "indexed":
            yield replace(await _stored(db, page), reason=page.reason, facts=page.facts)


async def _stored(db: Database, page: Page) -> PageOutcome:
    chunks: list[NewChunk] = await chunk_store.of_page(db, page.id)
    return PageOutcome(
        page.url, page.depth, "indexed", title=page.title, content_hash=page.content_hash, chunks=tuple(chunks)
    )
