"""Restoring: checked before anything is replaced, whole at every moment, and without what must not come back."""

import os
import shutil
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from appliance import operator, running, settings_for
from backing_up import back_up, restore, restore_now

from flowchat.domain import Actor, Session, now
from flowchat.errors import FlowChatError
from flowchat.services import audit_log, credentials, keys, restoring, vault
from flowchat.services.audit_log import AuditLogRequest
from flowchat.services.key_requests import NewAdminKey
from flowchat.services.revocations import LOG_FILE, Revocations
from flowchat.store import sessions
from flowchat.store.database import connect
from flowchat.store.migrate import migrate, migrations


def tenants_of(path: Path) -> list[str]:
    with closing(connect(path)) as connection:
        assert connection.execute("pragma integrity_check").fetchone()[0] == "ok"
        return [row["slug"] for row in connection.execute("select slug from tenants order by slug")]


def add_tenant(data_dir: Path, slug: str) -> None:
    migrate(data_dir / "flowchat.db")
    with closing(connect(data_dir / "flowchat.db")) as connection:
        connection.execute(
            "insert into tenants (id, slug, name, created_at) values (?, ?, ?, ?)", (f"ten_{slug}", slug, slug, now())
        )


def test_the_former_database_is_kept(tmp_path: Path) -> None:
    add_tenant(tmp_path, "before")
    made = back_up(tmp_path)
    add_tenant(tmp_path, "since")
    restored = restore_now(tmp_path, made)
    assert restored.former and restored.migrated == 0
    assert "since" not in tenants_of(tmp_path / "flowchat.db") and "before" in tenants_of(tmp_path / "flowchat.db")
    assert tenants_of(restored.former) == ["before", "since"]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"flowchat.db", restored.former.name, "backups", LOG_FILE} - ({LOG_FILE} - left)


async def test_what_must_not_come_back(tmp_path: Path) -> None:
    async with running(tmp_path) as app:
        actor = await operator(app)
        revoked, first_secret = await keys.create(app, actor, NewAdminKey(name="revoked since"))
        kept, second_secret = await keys.create(app, actor, NewAdminKey(name="kept"))
        await app.db.write(lambda conn: _sign_in(conn, actor))
        made = back_up(tmp_path)
        await keys.revoke(app, actor, revoked.id)
    log = (tmp_path / LOG_FILE).read_bytes()
    await restore(tmp_path, made)
    assert (tmp_path / LOG_FILE).read_bytes() == log
    async with running(tmp_path) as app:
        await app.revocations.rebuild(app.db)
        assert kept.id in str(await credentials.authenticate_bearer(app, second_secret, "127.0.0.1"))
        with pytest.raises(FlowChatError, match="revoked"):
            await credentials.authenticate_bearer(app, first_secret, "127.0.0.1")
        assert await app.db.rows("select * from sessions") == []
        actions = [entry.operation for entry in (await audit_log.list_page(app, actor, AuditLogRequest())).items]
    assert "backups.restore" in actions and "keys.revoke" in actions


def _sign_in(conn: Any, actor: Actor) -> None:
    conn.execute(
        "insert into users (id, tenant_id, email, name, role, created_at)"
        " values ('usr_1', ?, 'a@b.c', 'A', 'owner', ?)",
        (actor.tenant_id, now()),
    )
    session = Session(
        id="ses_1", user_id="usr_1", created_at=now(), last_seen_at=now(), address="127.0.0.1", user_agent="x"
    )
    sessions.insert(conn, session, "hash")


async def test_a_new_machine_learns_what_was_revoked_until_the_backup(tmp_path: Path) -> None:
    """Also of keys that a still older database would have: the log of the backup and that of the folder are joined."""
    async with running(tmp_path / "old") as app:
        actor = await operator(app)
        key, _ = await keys.create(app, actor, NewAdminKey(name="x"))
        await keys.revoke(app, actor, key.id)
        await app.revocations.add("key", "key_gone")  # its row was deleted
        made = back_up(tmp_path / "old")
    await Revocations(_made(tmp_path / "new")).add("key", "key_here")
    await restore(tmp_path / "new", made)
    joined = Revocations(tmp_path / "new")
    await joined.follow()
    assert key.id in joined and "key_gone" in joined and "key_here" in joined


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def changed(path: Path, into: Path, **changes: object) -> Path:
    """A backup whose manifest says something else."""
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(into, "w") as written:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "manifest.json":
                content = msgspec.json.encode({**msgspec.json.decode(content), **changes})
            written.writestr(name, content)
    return into


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"schema": 9999}, "database_too_new"),
        ({"format": 2}, "bad_backup"),
        ({"database": {"bytes": 1, "sha256": "x"}}, "bad_backup"),
        ({"revoked": {"bytes": 0, "sha256": "x"}}, "bad_backup"),
        ({"secret_key": "0123456789abcdef"}, "secret_key_missing"),
    ],
)
def test_what_is_refused_changes_nothing(tmp_path: Path, changes: dict[str, object], code: str) -> None:
    add_tenant(tmp_path, "before")
    made = changed(back_up(tmp_path), tmp_path / "changed.zip", **changes)
    add_tenant(tmp_path, "since")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(FlowChatError) as caught:
        restore_now(tmp_path, made)
    assert caught.value.code == code
    assert tenants_of(tmp_path / "flowchat.db") == ["before", "since"]
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_backup(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(FlowChatError) as caught:
        restore_now(tmp_path, tmp_path / "x.zip")
    assert caught.value.code == "bad_backup"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FlowChatError) as caught:
        restore_now(tmp_path, tmp_path / "x.zip")
    assert caught.value.code == "not_found"


def test_a_database_whose_indexes_disagree_is_refused(tmp_path: Path) -> None:
    """SQLite finds nothing wrong with it, `flowchat check` does."""
    add_tenant(tmp_path / "old", "before")
    with closing(connect(tmp_path / "old" / "flowchat.db")) as connection:
        connection.execute(
            "insert into meter_events (identifier, tenant_id, stripe_customer, metric, hour, value, status,"
            " created_at) values ('x', 'ten_before', 'cus_1', 'queries', '2026-11-01T00', 5, 'parked', 'x')"
        )
    made = back_up(tmp_path / "old")
    with pytest.raises(FlowChatError, match="not the sum of its usage") as caught:
        restore_now(tmp_path / "new", made)
    assert caught.value.code == "backup_damaged" and list((tmp_path / "new").iterdir()) == []


def test_the_secret_key_is_asked_for(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    add_tenant(old, "before")
    vault.seal(old, "makes the secret")
    made = back_up(old)
    with pytest.raises(FlowChatError, match=r"secret\.key is missing"):
        restore_now(new, made)
    vault.seal(_present(new), "another one")
    with pytest.raises(FlowChatError, match=r"secret\.key is another one"):
        restore_now(new, made)
    shutil.copy(old / vault.SECRET_FILE, new)
    restore_now(new, made)
    restore_now(tmp_path / "third", made, without_key=True)


def _present(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_an_older_schema_is_migrated(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    with closing(connect(old / "flowchat.db")) as connection:
        for number, sql in migrations()[:3]:
            connection.executescript(f"begin;{sql};pragma user_version = {number};commit;")
        connection.execute("insert into tenants (id, slug, name, created_at) values ('ten_1', 'a', 'A', 'now')")
    made = back_up(old)
    restored = restore_now(tmp_path / "new", made)
    assert restored.migrated == len(migrations()) - 3 and restored.manifest.schema == 3
    assert tenants_of(tmp_path / "new" / "flowchat.db") == ["a"]
    assert not list((tmp_path / "new").glob("*-before-*"))


def test_a_database_that_cannot_be_read_is_replaced_and_kept(tmp_path: Path) -> None:
    add_tenant(tmp_path, "before")
    made = back_up(tmp_path)
    (tmp_path / "flowchat.db").write_bytes(b"not a database" * 1000)
    (tmp_path / "flowchat.db-wal").write_bytes(b"nor its log" * 1000)
    restored = restore_now(tmp_path, made)
    assert tenants_of(tmp_path / "flowchat.db") == ["before"]
    assert restored.former and restored.former.read_bytes().startswith(b"not a database")
    assert restored.former.with_name(f"{restored.former.name}-wal").read_bytes().startswith(b"nor its log")


def kill_at_file_operation(number: int, data_dir: Path, made: Path) -> int:
    """Restore in a process that is killed at the start of that file operation in the folder; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = number

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in ("open", "os.rename", "os.link", "os.remove", "sqlite3.connect", "shutil.copyfile") and str(
            data_dir
        ) in str(arguments):
            left -= 1
            if left < 0:
                os._exit(9)

    sys.addaudithook(count)
    restore_now(data_dir, made)
    os._exit(0)


@pytest.mark.slow
def test_killed_at_any_file_operation_it_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    add_tenant(data_dir, "before")
    made = back_up(data_dir).rename(tmp_path / "made.zip")
    add_tenant(data_dir, "since")
    shutil.copytree(data_dir, tmp_path / "as it was")
    outcomes, number, code = [], 0, 9
    while code == 9:
        shutil.rmtree(data_dir)
        shutil.copytree(tmp_path / "as it was", data_dir)
        code = kill_at_file_operation(number, data_dir, made)
        found = "since" in tenants_of(data_dir / "flowchat.db")
        outcomes.append(found)
        restoring.tidy(settings_for(data_dir))
        assert found == ("since" in tenants_of(data_dir / "flowchat.db"))
        if found:
            assert not list(data_dir.glob("flowchat-replaced-*"))  # no second name of what is in use
        number += 1
    assert code == 0 and number > 10
    assert outcomes == sorted(outcomes, reverse=True) and outcomes[0] and not outcomes[-1]
