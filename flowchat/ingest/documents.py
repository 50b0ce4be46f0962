"""Pages that need no crawl: FlowChat's own documentation, and a version that is embedded anew."""

import hashlib
from collections.abc import AsyncIterator
from importlib.resources import files

from flowchat.domain import NewChunk, Page, PageOutcome
from flowchat.ingest.chunk import CountTokens
from flowchat.ingest.crawl import index_outcome
from flowchat.ingest.extract import extract_markdown
from flowchat.store import chunks as chunk_store
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


async def builtin_outcomes(done: set[str], count_tokens: CountTokens) -> AsyncIterator[PageOutcome]:
    """The pages of the built-in documentation whose URL is not in `done`."""
    for name, text in builtin_documents().items():
        url = DOCS_PREFIX + name
        if url not in done:
            document = extract_markdown(text)
            outcome = PageOutcome(url, 0, "indexed", title=document.title)
            yield index_outcome(outcome, document, count_tokens)


async def stored_outcomes(db: Database, pages: list[Page], done: set[str]) -> AsyncIterator[PageOutcome]:
    """The indexed pages of a former version, with their chunks as they are stored."""
    for page in pages:
        if page.url not in done and page.status == "indexed":
            chunks: list[NewChunk] = await chunk_store.of_page(db, page.id)
            yield PageOutcome(page.url, page.depth, "indexed", title=page.title, chunks=tuple(chunks))
