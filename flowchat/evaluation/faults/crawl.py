"""Crawls of a site that says something else on every page each time."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from flowchat.evaluation.faults.machine import Machine
from flowchat.evaluation.faults.work import Tally, Wrong, create, sent, until_gone, until_idle
from flowchat.evaluation.local_site import NOT_FOUND, Response, local_site, page
from flowchat.net.rest import Rest
from flowchat.store import chunks, pages, present, versions

PAGES = 60
PARTS = 12  # of a page: about two chunks
_EDITION = re.compile(r"edition (\d+)")


class Crawling:
    """Half visible is a live version that has not all pages, or pages of two editions of the site."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.edition = 1
        self.url = ""
        self._source = ""
        self._jobs: set[str] = set()
        self._seen = 0  # the number of the newest version that was seen live

    def respond(self, path: str, headers: Mapping[str, str]) -> Response:
        number = int(path.strip("/") or 0) if path.strip("/").isdigit() or path == "/" else PAGES
        if number >= PAGES:
            return NOT_FOUND
        parts = "".join(
            f"<h2>Drawer {part}</h2><p>Item {number} of edition {self.edition} has part {part}, "
            f"made by hand in room {number * part} of the house by the sea where all items are made.</p>"
            for part in range(PARTS)
        )
        links = "".join(f'<a href="/{other}">{other}</a>' for other in (number + 1, number + 2) if other < PAGES)
        return page(f"Item {number}", f"<h1>Item {number}</h1>{parts}{links}")

    async def prepare(self, machine: Machine) -> None:
        async with machine.client() as client:
            made = await create(client, "/v1/sources", url=f"{self.url}/", slug="items")
            self._source = made["id"]
            await until_idle(client)

    async def labour(self, machine: Machine) -> None:
        async with machine.client() as client:
            await until_gone(lambda: self._crawl(client))

    async def _crawl(self, client: Rest) -> None:
        await self._until_over(client)  # one that was begun before
        self.edition += 1
        job = await sent(self.tally, client.post("/v1/sources/items/recrawl"))
        if job is not None:
            self._jobs.add(job.json()["id"])
            self.tally.promise("jobs", job.json()["id"])
        await self._until_over(client)

    async def _until_over(self, client: Rest) -> None:
        await until_idle(client)
        listed = await sent(self.tally, client.get("/v1/sources/items/versions", limit=100))
        versions = listed.json()["data"] if listed is not None else []
        self._seen = max([self._seen, *(entry["number"] for entry in versions if entry["status"] == "live")])

    async def compare(self, machine: Machine) -> Wrong:
        wrong = Wrong()
        async with machine.database() as db:
            wrong.lost += await present.missing(db, "jobs", self._jobs)
            live = next(iter(await versions.live(db, [self._source])), None)
            if live is None or live.number < self._seen:
                wrong.lost.append(f"version {self._seen} was live, then {live and live.number}")
                return wrong
            known = [entry for entry in await pages.all_of(db, live.seq) if entry.status == "indexed"]
            texts = [chunk.text for entry in known for chunk in await chunks.of_page(db, entry.id)]
        editions = {edition for text in texts for edition in _EDITION.findall(text)}
        if len(known) != PAGES or len(editions) != 1:
            wrong.half.append(f"live version {live.number}: {len(known)} pages of the editions {sorted(editions)}")
        parts = sum(len(_EDITION.findall(text)) for text in texts)
        if parts != PAGES * PARTS:
            (wrong.twice if parts > PAGES * PARTS else wrong.half).append(f"{parts} parts, not {PAGES * PARTS}")
        return wrong

    async def finish(self, machine: Machine) -> Wrong:
        async with machine.client() as client:
            await until_idle(client)
            wrong = await self.compare(machine)
            jobs = [(await client.get(f"/v1/jobs/{ident}")).json() for ident in self._jobs]
            told = [event["data"]["version"] for event in await _events(client)]
        wrong.lost += [f"{job['id']}: {job['status']}: {job['error']}" for job in jobs if job["status"] != "succeeded"]
        wrong.twice += [f"two events of {version}" for version in set(told) if told.count(version) > 1]
        return wrong


async def _events(client: Rest) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = []
    after: dict[str, str] = {}
    while True:
        listed = (await client.get("/v1/events", type="version.indexed", limit=100, **after)).json()
        found += listed["data"]
        if not listed["has_more"]:
            return found
        after = {"starting_after": listed["data"][-1]["id"]}


@asynccontextmanager
async def crawling() -> AsyncIterator[tuple[Crawling, dict[str, str]]]:
    work = Crawling()
    async with local_site(work.respond) as url:
        work.url = url
        yield work, {}
