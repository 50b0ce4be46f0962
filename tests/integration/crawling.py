"""A site on loopback, and crawls of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from appliance import operator
from loopback import Server, answer, serving

from flowchat.domain import Job, Source
from flowchat.services import jobs, sources
from flowchat.services.context import Appliance
from flowchat.services.sources import NewSource
from flowchat.store import chunks, versions

PAGES = 8


def html(text: str, *links: str, head: str = "", title: str = "A page") -> bytes:
    anchors = "".join(f'<p><a href="{link}">more</a></p>' for link in links)
    main = f"<main><h1>{title}</h1><p>{text}</p>{anchors}</main>"
    body = f"<html><head><title>{title}</title>{head}</head><body>{main}</body></html>"
    return answer(body.encode(), content_type="text/html; charset=utf-8")


def chain(count: int = PAGES) -> dict[str, bytes]:
    """A site of pages that each link to the next; page N says `wordN`, and nothing else does."""
    site = {
        f"/p{n}": html(f"This page is about word{n} and what it is good for.", f"/p{n + 1}", title=f"Page {n}")
        for n in range(1, count)
    }
    return {"/": html("This page is about word0 and what it is good for.", "/p1", title="Page 0"), **site}


@asynccontextmanager
async def site(answers: dict[str, bytes]) -> AsyncIterator[Server]:
    async with serving() as server:
        server.answers = answers
        yield server


async def crawled(app: Appliance, server: Server, new: NewSource | None = None) -> Job:
    """A new source of the server, with its finished first job."""
    _, job = await sources.create(app, await operator(app), new or NewSource(server.url + "/", slug="site"))
    return await finished(app, job)


async def finished(app: Appliance, job: Job) -> Job:
    await jobs.run(app, job.id)
    return await jobs.get(app, await operator(app), job.id)


async def source_of(app: Appliance, job: Job) -> Source:
    return await sources.get(app, await operator(app), job.source_id or "")


def requested(server: Server) -> list[str]:
    return [head.split(" ")[1] for head in server.requests]


async def found(app: Appliance, source: Source, word: str) -> list[str]:
    """URLs of the live pages that have a word."""
    live = await versions.live(app.db, [source.id])
    rowids = await chunks.search_words(app.db, [version.seq for version in live], [word], 10)
    return [chunk.url for chunk in await chunks.by_rowids(app.db, rowids)]
