"""Backups: one file with the state of one moment, made beside whoever writes, whole or not at all."""

import asyncio
import errno
import os
import threading
import zipfile
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from appliance import operator, running, settings_for
from backing_up import back_up, restore

from flowchat.errors import Conflict, FlowChatError
from flowchat.services import backup_archive, backup_files, backup_making, keys, vault
from flowchat.services.check import check
from flowchat.services.key_requests import NewAdminKey
from flowchat.services.revocations import LOG_FILE
from flowchat.store import backup
from flowchat.store.database import Connection, connect, open_database
from flowchat.store.migrate import migrate, migrations

PASSAGES = "create table passages (id integer primary key, text text)"


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_is_in_it(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        key, _ = await keys.create(app, actor, NewAdminKey(name="x"))
        await keys.revoke(app, actor, key.id)
        vault.seal(tmp_path, "makes the secret")
        made = back_up(tmp_path)
    assert files_of(made.parent) == [".lock", made.name] and made.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(made) as archive:
        assert archive.namelist() == ["flowchat.db.zst", "revoked.log", "manifest.json"]
        assert archive.read("revoked.log") == (tmp_path / LOG_FILE).read_bytes()
        told = msgspec.json.decode(archive.read("manifest.json"))
        assert (tmp_path / vault.SECRET_FILE).read_bytes() not in made.read_bytes()
    assert told["schema"] == len(migrations()) and told["rows"]["keys"] == 1
    assert told["secret_key"] == vault.fingerprint(tmp_path) != ""


async def test_writers_go_on_and_nothing_acknowledged_is_missing(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        await operator(app)
        await app.db.write(lambda conn: conn.execute(PASSAGES))
        await app.db.write(_fill)
        acknowledged, stop, begun = [0], threading.Event(), asyncio.Event()

        async def write() -> None:
            while not stop.is_set():
                acknowledged.append(await app.db.write(_add))
                if len(acknowledged) > 20:
                    begun.set()

        writing = asyncio.create_task(write())
        try:
            await begun.wait()
            before = acknowledged[-1]
            made = await asyncio.to_thread(back_up, tmp_path)
            assert acknowledged[-1] > before  # nobody waited for it
        finally:
            stop.set()
            await writing
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
    await restore(tmp_path / "new", made)
    async with open_database(tmp_path / "new" / "flowchat.db") as db:
        row = await db.row("select count(*) as rows, min(id) as first, max(id) as last from passages")
        assert await check(db) == []
    assert row and row["last"] >= before
    assert row["last"] - row["first"] + 1 == row["rows"]  # a state that there was


def _fill(conn: Connection) -> None:
    conn.executemany("insert into passages (text) values (?)", [(os.urandom(500).hex(),) for _ in range(10_000)])


def _add(conn: Connection) -> int:
    return int(conn.execute("insert into passages (text) values ('x') returning id").fetchone()[0])


async def test_one_at_a_time(tmp_path: Path) -> None:
    migrate(tmp_path / "flowchat.db")
    inside, go_on = threading.Event(), threading.Event()

    def wait(step: str, done: int, total: int) -> None:
        inside.set()
        go_on.wait()

    first = threading.Thread(target=backup_making.make, args=(settings_for(tmp_path), wait))
    first.start()
    inside.wait()
    with pytest.raises(Conflict) as caught:
        back_up(tmp_path)
    go_on.set()
    first.join()
    assert caught.value.code == "backup_running"
    assert back_up(tmp_path).exists() and len(backup_files.stored(settings_for(tmp_path))) == 2


@pytest.mark.parametrize("step", ["copying", "packing", "verifying"])
def test_one_that_is_broken_off_leaves_nothing(tmp_path: Path, step: str) -> None:
    migrate(tmp_path / "flowchat.db")

    def stop(at: str, done: int, total: int) -> None:
        if at == step:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        backup_making.make(settings_for(tmp_path), stop)
    assert files_of(tmp_path / "backups") == [".lock"]


def test_what_a_killed_one_left_is_removed_by_the_next(tmp_path: Path) -> None:
    migrate(tmp_path / "flowchat.db")

    def die(step: str, done: int, total: int) -> None:
        if step == "verifying":
            os._exit(9)

    child = os.fork()
    if not child:
        backup_making.make(settings_for(tmp_path), die)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert len(files_of(tmp_path / "backups")) == 3
    assert backup_files.stored(settings_for(tmp_path)) == []
    made = back_up(tmp_path)
    assert files_of(tmp_path / "backups") == [".lock", made.name]


def test_a_full_disk_is_said_before_and_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(tmp_path / "flowchat.db")
    monkeypatch.setattr(backup_making, "SPARE_BYTES", 10**18)
    with pytest.raises(FlowChatError, match="MB free") as caught:
        back_up(tmp_path)
    assert (caught.value.code, caught.value.status) == ("disk_nearly_full", 507)
    monkeypatch.undo()

    def full(step: str, done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(FlowChatError, match="became full") as caught:
        backup_making.make(settings_for(tmp_path), full)
    assert caught.value.code == "disk_full" and files_of(tmp_path / "backups") == [".lock"]


def test_a_damaged_database_is_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "flowchat.db"
    migrate(path)
    with closing(connect(path)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        root = connection.execute("select rootpage from sqlite_schema where name = 'tenants'").fetchone()[0]
        size = connection.execute("pragma page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    assert backup.faults(path)
    with pytest.raises(FlowChatError) as caught:
        back_up(tmp_path)
    assert caught.value.code == "database_damaged" and files_of(tmp_path / "backups") == [".lock"]


def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(FlowChatError) as caught:
        back_up(tmp_path)
    assert caught.value.code == "no_database" and files_of(tmp_path) == []


def test_what_is_damaged_is_listed_as_such(tmp_path: Path) -> None:
    migrate(tmp_path / "flowchat.db")
    made = back_up(tmp_path)
    made.write_bytes(made.read_bytes()[:-100])
    [found] = backup_files.stored(settings_for(tmp_path))
    assert found.manifest is None and found.error and "no backup that could be restored" in found.error


@pytest.mark.parametrize("part", ["flowchat.db.zst", "revoked.log", "manifest.json"])
def test_each_changed_byte_is_found(tmp_path: Path, part: str) -> None:
    migrate(tmp_path / "flowchat.db")
    (tmp_path / LOG_FILE).write_text('{"kind":"key","id":"key_1","time":"2026-01-01T00:00:00.000Z"}\n')
    made = back_up(tmp_path)
    whole = made.read_bytes()
    with zipfile.ZipFile(made) as archive:
        info = archive.getinfo(part)
    begin = info.header_offset + 30 + len(part) + 20  # beyond the header and what may follow it
    for position in range(begin, info.header_offset + info.compress_size, max(info.compress_size // 40, 1)):
        made.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(FlowChatError) as caught:
            backup_archive.verify(made, backup_archive.read_manifest(made))
        assert caught.value.code == "bad_backup"
    made.write_bytes(whole)
    backup_archive.verify(made, backup_archive.read_manifest(made))
