"""A site on loopback, and crawls of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from appliance import operator
from loopback import Server, answer, serving
from web_server import Served

from flowchat.domain import Actor, Job, Source
from flowchat.services import jobs, keys, sources, worker
from flowchat.services.context import Appliance
from flowchat.services.source_requests import NewSource
from flowchat.store import chunks, tenants, versions
from flowchat.store import jobs as job_store

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
    assert job
    return await finished(app, job)


async def finished(app: Appliance, job: Job) -> Job:
    await worker.run(app, job.id)
    return await jobs.get(app, await operator(app), job.id)


async def source_of(app: Appliance, job: Job) -> Source:
    return await sources.get(app, await operator(app), job.source_id or "")


def requested(server: Server) -> list[str]:
    return [head.split(" ")[1] for head in server.requests]


async def found(app: Appliance, source: Source, word: str) -> list[str]:
    """URLs of the live pages that have a word."""
    live = await versions.live(app.db, [source.id])
    found = await chunks.search_words(app.db, [version.seq for version in live], [word], 10)
    return [chunk.url for chunk in await chunks.by_rowids(app.db, [rowid for rowid, _ in found])]


async def work(app: Appliance) -> None:
    """Do all jobs that wait."""
    while waiting := await job_store.waiting(app.db):
        for job_id in waiting:
            await worker.run(app, job_id)


async def crawled_over_http(served: Served, server: Server, **fields: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """(source, job) of a new source of the server, after its first crawl."""
    created = await served.call("POST", "/v1/sources", json={"url": server.url + "/", "slug": "site", **fields})
    assert created.status_code == 201, created.text
    await work(served.app)
    job = await served.call("GET", f"/v1/jobs/{created.json()['job']['id']}")
    source = await served.call("GET", "/v1/sources/" + created.json()["id"])
    return source.json(), job.json()


async def refused_to_others(served: Served, method: str, path: str, **options: Any) -> tuple[int, int]:
    """(status for another tenant, status for a key that may only read)."""
    _, reader = await keys.create(served.app, await operator(served.app), keys.NewAdminKey(scopes=("read",)))
    other = await served.app.db.write(lambda conn: tenants.find(conn, "other") or tenants.insert(conn, "other", "O"))
    stranger = Actor(other.id, "test", frozenset({"read", "write", "billing"}))
    _, secret = await keys.create(served.app, stranger, keys.NewAdminKey())
    responses = [
        await served.client.request(method, path, headers={"Authorization": f"Bearer {key}"}, **options)
        for key in (secret, reader)
    ]
    return responses[0].status_code, responses[1].status_code


async def events_of_type(app: Appliance, *types: str) -> list[dict[str, Any]]:
    """The data of the recorded events of these types, oldest first."""
    marks = ",".join("?" * len(types))
    rows = await app.db.rows(f"select data from events where type in ({marks}) order by rowid", types)
    return [json.loads(row["data"]) for row in rows]
