"""Documents that are uploaded, indexed and deleted."""

import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowchat.evaluation.faults.machine import Machine
from flowchat.evaluation.faults.work import Tally, Wrong, create, sent, until_gone, until_idle
from flowchat.net.rest import Rest
from flowchat.store import chunks, documents, pages, present, versions

MOST = 30  # documents at a time
PARTS = 20  # of a document: several chunks
SEED = 20261124
UPLOAD = "/v1/sources/files/documents"
_PART = re.compile(r"Document (\d+) part (\d+) of")


class Indexing:
    """An upload whose answer got lost is sent again with its Idempotency-Key, once."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._chance = random.Random(SEED)  # noqa: S311 (no secret)
        self._source = ""
        self._number = 0
        self._kept: dict[str, int] = {}  # {id: number}
        self._gone: set[str] = set()
        self._unanswered: int | None = None

    async def prepare(self, machine: Machine) -> None:
        async with machine.client() as client:
            self._source = (await create(client, "/v1/sources", slug="files"))["id"]
            for _ in range(3):
                await self._upload(client)
            await until_idle(client)

    async def labour(self, machine: Machine) -> None:
        async with machine.client() as client:
            await until_gone(lambda: self._upload(client) if len(self._kept) < MOST else self._delete(client))

    async def _upload(self, client: Rest) -> None:
        if self._unanswered is None:
            self._number += 1
            self._unanswered = self._number
        number = self._unanswered
        text = "\n\n".join(
            f"## Shelf {part}\n\nDocument {number} part {part} of {PARTS} lies in the room that has the number "
            f"{number * part}, where it was put by whoever has written it on the day of the great storm."
            for part in range(PARTS)
        )
        made = await sent(
            self.tally,
            client.post(
                UPLOAD,
                files={"file": (f"{number}.md", f"# Document {number}\n\n{text}\n", "text/markdown")},
                headers={"Idempotency-Key": f"upload-{number}"},
            ),
        )
        self._unanswered = None
        if made is not None:
            ident = made.json()["documents"][0]["id"]
            self._kept[ident] = number
            self.tally.promise("documents", ident)

    async def _delete(self, client: Rest) -> None:
        ident = self._chance.choice(list(self._kept))
        del self._kept[ident]  # nobody knows until it is answered
        self.tally.withdraw(ident)
        if await sent(self.tally, client.delete(f"{UPLOAD}/{ident}")) is not None:
            self._gone.add(ident)

    async def compare(self, machine: Machine) -> Wrong:
        wrong = Wrong()
        async with machine.database() as db:
            wrong.lost += await present.missing(db, "documents", self._kept)
            missing = await present.missing(db, "documents", self._gone)
            wrong.lost += [f"{ident} was deleted, and is there" for ident in self._gone - set(missing)]
            for live in await versions.live(db, [self._source]):
                for entry in await pages.all_of(db, live.seq):
                    texts = [chunk.text for chunk in await chunks.of_page(db, entry.id)]
                    parts = Counter(part for text in texts for part in _PART.findall(text))
                    wrong.half += [f"{entry.url} has {len(parts)} parts"] if len(parts) != PARTS else []
                    wrong.twice += [f"{entry.url}: {part}" for part, times in parts.items() if times > 1]
        return wrong

    async def finish(self, machine: Machine) -> Wrong:
        async with machine.client() as client:
            await until_idle(client)
        wrong = await self.compare(machine)
        async with machine.database() as db:
            (live,) = await versions.live(db, [self._source])
            indexed = sorted(entry.url for entry in await pages.all_of(db, live.seq) if entry.status == "indexed")
            stored = sorted(document.url for document in await documents.all_of(db, self._source))
        wrong.half += [f"{len(indexed)} documents are live, {len(stored)} are stored"] if indexed != stored else []
        names = Counter(stored)
        wrong.twice += [name for name, times in names.items() if times > 1]
        return wrong


@asynccontextmanager
async def indexing() -> AsyncIterator[tuple[Indexing, dict[str, str]]]:
    yield Indexing(), {}
