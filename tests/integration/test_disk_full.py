"""A disk without room. SQLite is told that its file may not grow, and says the same as on a full disk."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from appliance import operator, running
from crawling import chain, finished, site
from web_server import serving

from flowchat.errors import DiskFull
from flowchat.services import revocations, sources
from flowchat.services.context import Appliance
from flowchat.services.revocations import LOG_FILE, Revocations
from flowchat.services.source_requests import NewSource
from flowchat.store import audit_log, jobs
from flowchat.store.database import Connection

PLENTY = 1_000_000
BIG = "x" * 9999


async def fill(app: Appliance) -> None:
    """From now on the database may not grow."""

    def transaction(conn: Connection) -> None:
        (pages,) = conn.execute("pragma page_count").fetchone()
        conn.execute(f"pragma max_page_count = {pages}")

    await app.db.write(transaction)
    actor = await operator(app)
    with pytest.raises(DiskFull):
        while True:  # what is free inside the file
            await app.db.write(lambda conn: audit_log.insert(conn, actor, "test.fill", "x" * 300))


async def make_room(app: Appliance) -> None:
    await app.db.write(lambda conn: conn.execute(f"pragma max_page_count = {PLENTY}"))


async def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await fill(app)

        def transaction(conn: Connection) -> None:
            conn.execute("update tenants set name = 'Changed'")
            conn.execute(
                "insert into audit_log (id, actor, operation, target, created_at) values ('aud_big', '', '', ?, '')",
                [BIG],
            )

        with pytest.raises(DiskFull) as full:
            await app.db.write(transaction)
        assert isinstance(full.value.__cause__, sqlite3.OperationalError)
        assert await app.db.row("select 1 from tenants where name = 'Changed'") is None
        await make_room(app)
        await app.db.write(transaction)
        assert await app.db.row("select 1 from tenants where name = 'Changed'")


async def test_a_job_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    async with site(chain()) as server, running(tmp_path) as app:
        _, job = await sources.create(app, await operator(app), NewSource(server.url + "/", slug="site"))
        assert job is not None
        await fill(app)
        stopped = await finished(app, job)
        assert (stopped.status, stopped.error) in (("queued", None), ("running", None))
        await make_room(app)
        if stopped.status == "running":  # not even that could be written: its lease ends some time
            await app.db.write(jobs.release_all)
        done = await finished(app, job)
        assert (done.status, done.progress.indexed) == ("succeeded", len(server.answers))


async def test_clients_are_told_what_is_wrong(tmp_path: Path) -> None:
    async with serving(tmp_path) as web:
        await fill(web.app)
        while (refused := await web.ask(Accept="application/json")).status_code == 200:
            pass  # there was room inside the file
        assert (refused.status_code, refused.json()["code"]) == (503, "disk_full")
        assert int(refused.headers["Retry-After"]) > 0
        await make_room(web.app)
        assert (await web.ask(Accept="application/json")).status_code == 200


async def test_a_revocation_without_room_for_its_line_counts_and_is_logged_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoked = Revocations(tmp_path)
    await revoked.add("key", "key_1")
    with monkeypatch.context() as full:
        full.setattr(revocations.os, "write", _half)
        with pytest.raises(DiskFull):
            await revoked.add("key", "key_2")
    assert "key_2" in revoked
    await revoked.add("key", "key_2")
    fresh = Revocations(tmp_path)
    await fresh.follow()
    assert "key_1" in fresh and "key_2" in fresh
    lines = (tmp_path / LOG_FILE).read_text().splitlines()
    assert [line.count("key_2") for line in lines if line.endswith("}")] == [0, 1]


_write = os.write


def _half(descriptor: int, data: bytes) -> int:
    """There is room for ten bytes."""
    if len(data) <= 20:
        raise OSError(errno.ENOSPC, "No space left on device")
    return _write(descriptor, data[: len(data) - 20])
