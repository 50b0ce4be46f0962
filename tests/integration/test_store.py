"""The database: migrations, whole transactions, readers beside the writer, and searches for any text."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from appliance import running
from fakes import FakeEmbedder

from flowchat.domain import CrawlConfig, NewChunk, PageOutcome, Source, new_id, now
from flowchat.errors import FlowChatError
from flowchat.services.check import check
from flowchat.store import chunks, pages, sources, tenants, versions
from flowchat.store.database import READERS, Connection, Database, connect, open_database
from flowchat.store.migrate import is_current, migrate, migrations


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "flowchat.db")
    async with open_database(tmp_path / "flowchat.db") as opened:
        yield opened


async def count(db: Database, table: str) -> int:
    row = await db.row(f"select count(*) from {table}")
    return int(row[0]) if row else -1


def test_migrating_twice_does_nothing(tmp_path: Path) -> None:
    assert migrate(tmp_path / "new" / "flowchat.db") == len(migrations())
    assert migrate(tmp_path / "new" / "flowchat.db") == 0
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_whether_there_is_something_to_migrate(tmp_path: Path) -> None:
    path = tmp_path / "a%20b?" / "flowchat.db"
    assert not is_current(path) and not path.parent.exists()
    migrate(path)
    assert is_current(path)
    with closing(connect(path)) as connection:
        connection.execute("pragma user_version = 0")
        assert not is_current(path)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flowchat.db"
    migrate(path)
    with closing(connect(path)) as connection:
        connection.execute("pragma user_version = 9999")
    with pytest.raises(FlowChatError, match="9999"):
        is_current(path)
    with pytest.raises(FlowChatError, match="9999") as caught:
        migrate(path)
    assert caught.value.code == "database_too_new"


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flowchat.db"
    migrate(path)
    bad = "create table half (x);\ncreate table half (x);"
    known = migrations()
    present, next_number = len(known), len(known) + 1
    monkeypatch.setattr("flowchat.store.migrate.migrations", lambda: [*known, (next_number, bad)])
    with closing(connect(path)) as connection, pytest.raises(Exception, match="half"):
        connection.execute("insert into tenants (id, slug, name, created_at) values ('ten_1', 'a', 'A', 'now')")
        migrate(path)
    with closing(connect(path)) as connection:
        tables = [row[0] for row in connection.execute("select name from sqlite_schema")]
        assert "half" not in tables and connection.execute("pragma user_version").fetchone()[0] == present
    with closing(connect(tmp_path / f"flowchat-before-{next_number:04}.db")) as backup:
        assert backup.execute("select slug from tenants").fetchone()[0] == "a"


OF_THE_FIRST_SCHEMA = """
insert into tenants values ('ten_1', 'a', 'A', 'then');
insert into keys (id, tenant_id, type, name, hash, prefix, last_four, daily_cap, created_at)
values ('key_1', 'ten_1', 'widget', 'homepage', 'h', 'kbk_live_', '1234', 5, 'then'),
    ('key_2', 'ten_1', 'widget', 'shop', 'i', 'kbk_live_', '1234', null, 'then');
insert into daily_answers values ('key_1', '2026-11-20', 3);
insert into sources (id, tenant_id, slug, name, status, created_at)
values ('src_1', 'ten_1', 's', 'S', 'ready', 'then');
insert into jobs (id, tenant_id, type, source_id, status, created_at)
values ('job_1', 'ten_1', 'crawl', 'src_1', 'queued', 'then');
insert into conversations values ('cnv_1', 'ten_1', 'key_1', 'hash', 'visitor', 'then');
insert into messages values ('msg_1', 'cnv_1', 'key_1', 'How?', 'So.', 0, null, '[]', '[]', '[]', '{}', 'then+1');
insert into audit_log (tenant_id, actor, operation, target, created_at) values ('ten_1', 'me', 'x', 'y', 'then');
"""


def test_what_the_first_schema_held_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flowchat.db"
    known = migrations()
    with monkeypatch.context() as patch:
        patch.setattr("flowchat.store.migrate.migrations", lambda: known[:1])
        migrate(path)
    with closing(connect(path)) as connection:
        connection.executescript(OF_THE_FIRST_SCHEMA)
    assert migrate(path) == len(known) - 1
    with closing(connect(path)) as connection:

        def values(query: str) -> list[tuple[object, ...]]:
            return [tuple(row) for row in connection.execute(query)]

        assert values("select id, daily_cap, billed from keys order by id") == [("key_1", 5, 0), ("key_2", None, 1)]
        assert values("select key_id, period, reserved from key_answers") == [("key_1", "2026-11-20", 3)]
        assert values("select id, status from jobs") == [("job_1", "queued")]
        assert values("select last_at from conversations") == [("then+1",)]
        assert values("select rowid from messages_fts where messages_fts match 'how'") == [(1,)]
        assert values("select id, actor from audit_log") == [("aud_" + "0" * 25 + "1", "me")]
        assert values("pragma foreign_key_check") == []
        assert values("pragma integrity_check") == [("ok",)]


async def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(FlowChatError, match="no database"):
        async with open_database(tmp_path / "flowchat.db"):
            pass


async def test_what_every_connection_has(db: Database) -> None:
    def pragmas(conn: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [conn.execute(f"pragma {name}").fetchone()[0] for name in names]

    assert await db.write(pragmas) == ["wal", 2, 1]
    rows = await db.row("select sqlite_version(), vec_version()")
    assert rows is not None and tuple(map(int, rows[0].split("."))) >= (3, 51, 3)
    with pytest.raises(Exception, match="readonly"):
        await db.rows("delete from tenants")


async def test_a_large_transaction_leaves_no_large_log(db: Database) -> None:
    log = db.path.with_name(f"{db.path.name}-wal")
    await db.write(lambda conn: conn.execute("create table large as select zeroblob(40000000)"))
    largest = log.stat().st_size
    for number in range(3):
        await db.write(lambda conn, number=number: conn.execute("create table small as select ? as n", (number,)))  # type: ignore[misc]
        await db.write(lambda conn: conn.execute("drop table small"))
    assert largest > 40_000_000 and log.stat().st_size <= 5_000_000


async def test_a_transaction_happens_whole_or_not_at_all(db: Database) -> None:
    def half(conn: Connection) -> None:
        tenants.insert(conn, "one", "One")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await db.write(half)
    assert await count(db, "tenants") == 0
    await db.write(lambda conn: tenants.insert(conn, "two", "Two"))
    assert await count(db, "tenants") == 1


async def test_a_cancelled_writer_leaves_no_open_transaction(db: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(conn: Connection) -> None:
        tenants.insert(conn, "slow", "Slow")
        begun.set()
        go_on.wait()

    writing = asyncio.create_task(db.write(slow))
    await asyncio.to_thread(begun.wait)
    writing.cancel()
    await asyncio.wait({writing})
    assert writing.cancelled()
    assert await count(db, "tenants") == 0  # a reader sees what is committed, and does not wait
    go_on.set()
    await db.write(lambda conn: tenants.insert(conn, "next", "Next"))
    assert await count(db, "tenants") == 2


async def test_readers_of_many_loops_and_cancelled_ones(db: Database) -> None:
    slow = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 300000) select count(*) from n"

    async def interrupted() -> None:
        reading = asyncio.create_task(db.rows(slow))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})

    for _ in range(6):  # more than there are readers: a reader whose thread had died would hang
        await asyncio.to_thread(asyncio.run, interrupted())
    assert await count(db, "tenants") == 0
    counts = await asyncio.gather(*(asyncio.to_thread(asyncio.run, count(db, "tenants")) for _ in range(6)))
    assert counts == [0] * 6


async def test_a_busy_reader_is_passed_over(db: Database) -> None:
    with db._least_busy() as first:
        with db._least_busy() as second, db._least_busy() as third, db._least_busy() as again:
            assert len({first, second, third}) == 3 and again is first
        with db._least_busy() as free, db._least_busy() as other:
            assert {free, other} == {second, third}


def test_only_the_owner_may_read_a_database_and_its_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, known = tmp_path / "flowchat.db", migrations()
    former = os.umask(0)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("flowchat.store.migrate.migrations", lambda: known[:1])
            migrate(path)
        path.chmod(0o644)  # as an older FlowChat left it
        migrate(path)
        with closing(connect(path)) as connection:
            connection.execute("delete from tenants")  # now there are -wal and -shm
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(former)
    copy = f"flowchat-before-{known[-1][0]:04}.db"
    assert modes == dict.fromkeys(("flowchat.db", "flowchat.db-shm", "flowchat.db-wal", copy), 0o600)


TEXTS = {
    "/c": "Write it in c++ or in a-b notation.",
    "/quotes": 'He said "hello" and * and (that) was AND OR NOT NEAR it.',
    "/cafe": "Le café sert des crêpes.",
}


async def index(db: Database, version_texts: dict[str, str]) -> tuple[int, FakeEmbedder]:
    """A source with one live version that has a page per text; returns the version's seq."""
    embedder = FakeEmbedder()

    def transaction(conn: Connection) -> str:
        tenant = tenants.first_now(conn) or tenants.insert(conn, "default", "Default")
        source = Source(
            new_id("src"), tenant.id, new_id("x"), "Site", None, "ready", "en", CrawlConfig(), None, 0, 0, None, now()
        )
        sources.insert(conn, source)
        return versions.insert(conn, source.id, embedder.name)

    version_id = await db.write(transaction)
    version = await versions.get(db, version_id)
    assert version is not None

    def fill(conn: Connection) -> None:
        chunks.ensure_vectors(conn, embedder.dims)
        for url, text in version_texts.items():
            page = pages.finish(conn, version.seq, PageOutcome(url, 0, "indexed", title="T"))
            chunks.insert(
                conn, version.seq, page, "T", [NewChunk(text, ("H",), "h 1")], embedder.embed_passages([text])
            )
        versions.make_live(conn, version)

    await db.write(fill)
    return version.seq, embedder


async def urls(db: Database, found: list[tuple[int, float]]) -> list[str]:
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    return [chunk.url for chunk in await chunks.by_rowids(db, [rowid for rowid, _ in found])]


@pytest.mark.parametrize(
    "text", ["c++", "a-b", '"', "*", "(", "AND", "NEAR(a b)", "title:x", "^a", "", "' or 1=1", "version1"]
)
async def test_any_text_can_be_searched(db: Database, text: str) -> None:
    seq, embedder = await index(db, TEXTS)
    await chunks.search_words(db, [seq], [text], 10)
    await chunks.search_words(db, [seq], text.split(), 10)
    assert len(await chunks.search_vectors(db, [seq], embedder.embed_query(text), 10)) == 3


async def test_search_finds_words_and_vectors_of_its_versions_only(db: Database) -> None:
    first, embedder = await index(db, TEXTS)
    second, _ = await index(db, {"/other": "The notation of a café."})
    assert await urls(db, await chunks.search_words(db, [first], ["notations"], 10)) == ["/c#h%201"]  # stemmed
    assert await urls(db, await chunks.search_words(db, [first], ["cafe"], 10)) == ["/cafe#h%201"]
    assert len(await chunks.search_words(db, [first, second], ["notation", "hello"], 10)) == 3
    assert await chunks.search_words(db, [], ["notation"], 10) == []
    nearest = await chunks.search_vectors(db, [second], embedder.embed_query("hello"), 10)
    assert await urls(db, nearest) == ["/other#h%201"]
    assert (await urls(db, await chunks.search_vectors(db, [first], embedder.embed_query(TEXTS["/c"]), 1))) == [
        "/c#h%201"
    ]
    assert await chunks.search_vectors(db, [], np.ones(64, np.float32), 10) == []


async def test_check_sees_what_sqlite_does_not(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        seq, _ = await index(app.db, TEXTS)
        assert await check(app.db) == []
        damages = {
            "delete from vectors_64 where chunk = 1": "1 chunks without vector",
            "delete from chunks_fts where rowid = 2": "1 chunks without words",
            "insert into chunks_fts (rowid, text) values (99, 'lost')": "1 words without chunk",
            "update versions set status = 'former'": "a source's live version is not in state live",
            "update pages set status = 'queued' where url = '/c'": "a page has chunks but is not indexed",
        }
        for damage, told in damages.items():
            await app.db.write(lambda conn, sql=damage: conn.execute(sql))  # type: ignore[misc]
            assert any(problem.startswith(told) for problem in await check(app.db)), told
        await app.db.write(lambda conn: chunks.delete_batch(conn, seq, 100))
        assert await count(app.db, "vectors_64") == 0


async def test_a_check_beside_a_writer_finds_no_fault(tmp_path: Path) -> None:
    """A reader that has searched remembers the segments of the full-text index, which the writer goes on to merge."""
    migrate(tmp_path / "flowchat.db")
    async with open_database(tmp_path / "flowchat.db") as db:
        for batch in range(4):
            for _ in range(READERS):
                await db.rows("select rowid from chunks_fts where chunks_fts match 'word1'")
            for number in range(batch * 20, batch * 20 + 20):
                await db.write(partial(_add_words, number=number))
            assert await db.integrity_faults() == []


def _add_words(conn: Connection, number: int) -> None:
    conn.execute(
        "insert into chunks_fts (rowid, version, title, headings, text) values (?, 'v1', '', '', ?)",
        (number + 1, f"word{number}"),
    )
