"""Backups of an appliance that writes at full speed, each restored into an empty folder and checked there.

Answers with their usage and events with their deliveries are stored by several writers through the services' own
store, and what is acknowledged is noted. Beside that: what others wait for it, and how long a large database takes.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from flowchat.domain import Key, UsageCounts, Webhook, new_id, now
from flowchat.evaluation.report import Measure, Report
from flowchat.services import backup_archive, backup_making, keys, restoring
from flowchat.services.check import check
from flowchat.services.context import Context
from flowchat.services.key_requests import NewWidgetKey
from flowchat.services.tenants import actor_for_cli
from flowchat.settings import Settings
from flowchat.store import conversations, events, usage, webhooks
from flowchat.store.conversations import Message
from flowchat.store.database import Connection, Database, open_database
from flowchat.store.migrate import migrate

WRITERS = 4
BEGUN_AFTER = 20  # acknowledged writes until a backup begins
QUIET_S = 20.0  # of writing without a backup, for comparison
FILL_AT_ONCE = 500
WORDS = "order return lamp oak brass delivery week warranty price shop open close send free day month box".split()
SEED = 20261124


@dataclass(frozen=True, slots=True)
class Amounts:
    """`restores`: backups that are made and restored under load. `gigabytes`: of the large database; 0: none."""

    restores: int
    gigabytes: float
    quiet_s: float = QUIET_S


@dataclass(slots=True)
class Load:
    """What was acknowledged: ids of answers, events and deliveries; and how long each write took, at what time."""

    messages: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)  # when it was acknowledged, and after how long

    def waits_ms(self, begin: float, end: float) -> list[float]:
        return sorted(wait * 1000 for at, wait in self.waits if begin <= at <= end)


def run(amounts: Amounts) -> Report:
    return asyncio.run(_run(amounts))


async def _run(amounts: Amounts) -> Report:
    measures = await _restores(amounts)
    if amounts.gigabytes:
        measures += await _large(amounts)
    notes = (
        f"{WRITERS} writers store answers with usage, events and deliveries one after the other, without a pause: each "
        "wait is that for a transaction that is synced to the disk.",
        "Seconds per GB are those of the database, of words that zstd halves. Recovery is `flowchat restore`: "
        "unpacking, the hash, SQLite's whole check, FlowChat's cross-check, and putting it in its place.",
    )
    return Report("Backup and restore", tuple(measures), notes)


async def _restores(amounts: Amounts) -> list[Measure]:
    lost, problems, restored, written = 0, 0, 0, 0
    with TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder) / "live")
        async with _loaded(settings) as (load, db):
            for number in range(amounts.restores):
                messages, told = list(load.messages), list(load.events)
                made = await _back_up(settings)
                target = Settings(data_dir=Path(folder) / f"restored-{number}")
                lost_now, problems_now = await _restored(target, made, messages, told)
                lost, problems, restored = lost + lost_now, problems + problems_now, restored + 1
                made.unlink()
                await _more(load)
            written = len(load.messages) + len(load.events)
            problems += len(await check(db))
    return [
        Measure("backups restored under load", restored, str(amounts.restores), restored == amounts.restores),
        Measure("answers and events acknowledged meanwhile", written),
        Measure("acknowledged before a backup began, and not in it", lost, "0", lost == 0),
        Measure("problems that the checks of the restored ones find", problems, "0", problems == 0),
    ]


@asynccontextmanager
async def _loaded(settings: Settings) -> AsyncIterator[tuple[Load, Database]]:
    """An appliance's database into which is written meanwhile."""
    migrate(settings.database_path)
    async with open_database(settings.database_path) as db:
        app = Context(settings=settings, db=db, wake=lambda job_id: None)
        actor = await actor_for_cli(db, None)
        key, _ = await keys.create(app, actor, NewWidgetKey(name="shop"))
        endpoint = Webhook(
            id=new_id("whe"), tenant_id=actor.tenant_id, url="https://shop.example/",
            description="", events=("*",), secret="",
            created_at=now(),
        )  # fmt: skip
        await db.write(lambda conn: webhooks.insert(conn, endpoint))
        load = Load()
        writers = [asyncio.create_task(_write(db, key, load, number)) for number in range(WRITERS)]
        try:
            await _more(load)
            yield load, db
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)


async def _write(db: Database, key: Key, load: Load, number: int) -> None:
    chance = random.Random(SEED + number)  # noqa: S311 (no secret)
    while True:
        begun = time.monotonic()
        message, event = await db.write(lambda conn: _store(conn, key, chance))
        load.messages.append(message)
        load.events.append(event)
        ended = time.monotonic()
        load.waits.append((ended, ended - begun))


def _store(conn: Connection, key: Key, chance: random.Random, words: int = 60) -> tuple[str, str]:
    """An answer as it is stored, and an event with its delivery."""
    message = Message(
        id=new_id("msg"),
        conversation_id=new_id("cnv"),
        key_id=key.id,
        query=" ".join(chance.choices(WORDS, k=8)),
        answer=" ".join(chance.choices(WORDS, k=words)),
        refusal=False,
        reason=None,
        versions=(),
        chunks=({"id": new_id("chk"), "text": chance.randbytes(words * 40).hex() if words > 60 else ""},),
        citations=(),
        verdicts=(),
        usage={"tokens_in": 120, "tokens_out": 60},
    )
    conversations.insert(conn, message.conversation_id, key.tenant_id, key.id, "", None)
    conversations.insert_message(conn, message)
    counts = UsageCounts(queries=1, tokens_in=120, tokens_out=60, billable_queries=1)
    usage.record(conn, key.tenant_id, counts, key_id=key.id, message_id=message.id)
    return message.id, events.record(conn, key.tenant_id, "version.indexed", {"version": new_id("ver")})


async def _more(load: Load) -> None:
    wanted = len(load.messages) + BEGUN_AFTER
    while len(load.messages) < wanted:  # noqa: ASYNC110 (as soon as there are so many)
        await asyncio.sleep(0.005)


async def _back_up(settings: Settings) -> Path:
    """As the appliance does it: in a thread that goes behind others."""

    def make() -> Path:
        backup_making.go_behind_others()
        return backup_making.make(settings, lambda step, done, total: None)

    with ThreadPoolExecutor(1) as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, make)


async def _restored(settings: Settings, made: Path, messages: list[str], told: list[str]) -> tuple[int, int]:
    """How much of that is lost in what was restored, and how many problems it has."""
    settings.data_dir.mkdir()
    await restoring.restore(settings, made, lambda text: None, without_key=True)
    async with open_database(settings.database_path) as db:
        present = {row["id"] for row in await db.rows("select id from messages union all select id from events")}
        lost = sum(ident not in present for ident in messages + told)
        lost += await _missing_beside(db, messages)
        return lost, len(await check(db))


async def _missing_beside(db: Database, messages: list[str]) -> int:
    """Usage of answers and deliveries of events that are not there: each was written in its transaction."""
    counted = {row["message_id"] for row in await db.rows("select message_id from usage_ledger")}
    row = await db.row("select (select count(*) from events) - (select count(*) from deliveries) as missing")
    return sum(ident not in counted for ident in messages) + abs(int(row["missing"]) if row else 0)


async def _large(amounts: Amounts) -> list[Measure]:
    with TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder) / "live")
        await asyncio.to_thread(_fill, settings, amounts.gigabytes)
        async with _loaded(settings) as (load, _):
            begin = time.monotonic()
            await asyncio.sleep(amounts.quiet_s)
            quiet = load.waits_ms(begin, time.monotonic())
            begin = time.monotonic()
            made = await _back_up(settings)
            end = time.monotonic()
            busy = load.waits_ms(begin, end)
        size_gb = backup_archive.read_manifest(made).database.bytes / 1e9
        ratio = made.stat().st_size / (size_gb * 1e9)
        target = Settings(data_dir=Path(folder) / "restored")
        target.data_dir.mkdir()
        restoring_at = time.monotonic()
        await restoring.restore(target, made, lambda text: None, without_key=True)
        restore_s = time.monotonic() - restoring_at
    return [
        Measure("large database, GB", size_gb),
        Measure("backup, s/GB (while 4 writers write)", (end - begin) / size_gb),
        Measure("size of the backup, of the database", ratio),
        Measure("recovery, s/GB", restore_s / size_gb),
        Measure(
            "writes/s without / during a backup",
            f"{len(quiet) / amounts.quiet_s:.0f} / {len(busy) / (end - begin):.0f}",
        ),
        Measure("wait of a write, ms, without (p50 / p99 / max)", _spread(quiet)),
        Measure("wait of a write, ms, during (p50 / p99 / max)", _spread(busy)),
        Measure("wait during, against without (p50)", median(busy) / median(quiet)),
        Measure("wait during, against without (p99)", _p99(busy) / _p99(quiet)),
    ]


def _spread(waits: list[float]) -> str:
    return f"{median(waits):.1f} / {_p99(waits):.1f} / {waits[-1]:.1f}"


def _p99(waits: list[float]) -> float:
    return waits[int(len(waits) * 0.99)]


def _fill(settings: Settings, gigabytes: float) -> None:
    """Old conversations, until the database is so large."""
    chance = random.Random(SEED)  # noqa: S311 (no secret)

    async def fill() -> None:
        async with open_database(settings.database_path) as db:
            app = Context(settings=settings, db=db, wake=lambda job_id: None)
            key, _ = await keys.create(app, await actor_for_cli(db, None), NewWidgetKey(name="old"))

            def some(conn: Connection) -> None:
                for _ in range(FILL_AT_ONCE):
                    _store(conn, key, chance, 200)

            while settings.database_path.stat().st_size < gigabytes * 1e9:
                await db.write(some)

    migrate(settings.database_path)
    asyncio.run(fill())
