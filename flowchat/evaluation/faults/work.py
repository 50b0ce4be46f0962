"""What is done to an appliance that faults happen to: requests over HTTP, and what they were promised."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from flowchat.evaluation.faults.machine import Machine
from flowchat.net.rest import Reply, Rest, Unreachable
from flowchat.store import present

CLEAN = {"busy", "disk_full", "idempotency_outcome_unknown", "idempotency_in_flight", "job_active", "not_found"}
POLL_S = 0.05


@dataclass(slots=True)
class Tally:
    """`promises`: writes that were answered with success. `refused`: by the codes of those that were not.

    `unclean`: answers that no client should get.
    """

    promises: list[tuple[float, present.Table, str]] = field(default_factory=list)  # (when, table, id)
    withdrawn: dict[str, float] = field(default_factory=dict)  # {id: when it was asked to go}
    refused: Counter[str] = field(default_factory=Counter)
    unclean: Counter[str] = field(default_factory=Counter)

    @property
    def acknowledged(self) -> int:
        return len(self.promises)

    def promise(self, table: present.Table, ident: str) -> None:
        """There is such a row now."""
        self.promises.append((time.time(), table, ident))

    def withdraw(self, ident: str) -> None:
        """From now on it may be gone."""
        self.withdrawn[ident] = time.time()

    def promised(self, at: float) -> Counter[tuple[present.Table, str]]:
        """What should have been there at that moment."""
        return Counter(
            (table, ident)
            for when, table, ident in self.promises
            if when < at and self.withdrawn.get(ident, math.inf) >= at
        )


@dataclass(slots=True)
class Wrong:
    """What is not as it should be, one text each."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)

    def add(self, other: "Wrong") -> None:
        self.lost += other.lost
        self.twice += other.twice
        self.half += other.half


class Work(Protocol):
    """One kind of it, on one machine. `environ` has settings that it needs."""

    tally: Tally

    async def prepare(self, machine: Machine) -> None:
        """Once, before any fault."""

    async def labour(self, machine: Machine) -> None:
        """Until the machine is gone, or this is cancelled."""

    async def compare(self, machine: Machine) -> Wrong:
        """What was promised with what is there. At any moment at which nobody labours."""

    async def finish(self, machine: Machine) -> Wrong:
        """The same once all that was begun has ended. The machine is up."""


MakeWork = Callable[[], AbstractAsyncContextManager[tuple[Work, dict[str, str]]]]  # with the settings that it needs


async def sent(tally: Tally, request: Awaitable[Reply]) -> Reply | None:
    """An answer that says that it was done; None where it says that it was not. Raises Unreachable."""
    response = await request
    if response.is_success:
        return response
    code = _code(response)
    (tally.refused if code in CLEAN else tally.unclean)[code] += 1
    await asyncio.sleep(POLL_S)
    return None


def _code(response: Reply) -> str:
    try:
        problem: dict[str, Any] = response.json()
    except ValueError:
        return f"{response.status} without a problem"
    return str(problem.get("code"))


async def until_gone(*loops: Callable[[], Awaitable[None]]) -> None:
    """Run these again and again, side by side, each until its connection breaks."""

    async def again(work: Callable[[], Awaitable[None]]) -> None:
        try:
            while True:
                await work()
        except Unreachable:
            pass

    await asyncio.gather(*(again(work) for work in loops))


async def until_idle(client: Rest) -> None:
    """Until no job waits or runs: in one look, for a job may come from the one to the other and back."""
    while True:
        reply = await client.get("/v1/jobs", limit=100)
        if reply.is_success and not any(job["status"] in ("queued", "running") for job in reply.json()["data"]):
            return
        await asyncio.sleep(POLL_S)


async def until_empty(client: Rest, path: str, status: str) -> None:
    """Until a list has nothing with that status."""
    while True:
        reply = await client.get(path, status=status, limit=1)
        if reply.is_success and not reply.json()["data"]:
            return
        await asyncio.sleep(POLL_S)


async def create(client: Rest, path: str, **fields: Any) -> dict[str, Any]:
    """What a POST answers, which must be a success."""
    return done(await client.post(path, json=fields))


def done(reply: Reply) -> dict[str, Any]:
    """What an answer says, which must be a success."""
    if not reply.is_success:
        raise RuntimeError(f"{reply.status}: {reply.text[:500]}")
    made: dict[str, Any] = reply.json()
    return made
