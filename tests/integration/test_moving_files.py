"""The file in which a tenant moves: what it hides, what is refused, and that a refusal changes nothing."""

import re
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from appliance import operator
from cryptography.fernet import Fernet
from subscribing import plan_of, subscribe
from two_machines import PASSPHRASE, Machines, two_machines

from flowchat.errors import FlowChatError
from flowchat.services import moving, tenant_files, tenants, vault
from flowchat.services.tenant_files import Manifest, Passphrase
from flowchat.store import chunks, plans
from flowchat.store.database import Connection, connect
from flowchat.store.tenant_tables import TABLES

Change = Callable[[Path], None]


async def test_it_has_no_readable_secret(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        hook = {"url": "https://red.example/2", "events": ["*"]}
        secret = (await them.call(them.old, "POST", "/v1/webhooks", json=hook))["secret"]
        await them.old.app.db.write(
            lambda conn: conn.execute(
                "insert into emails (id, tenant_id, recipient, subject, body, created_at)"
                " values ('eml_1', ?, 'a@shop.example', 'Hello', 'Your link: https://x/reset', '')",
                (them.tenant.ids["tenant"],),
            )
        )
        await them.export(tmp_path / "red.zip")
        assert (tmp_path / "red.zip").stat().st_mode & 0o077 == 0
        with zipfile.ZipFile(tmp_path / "red.zip") as archive:
            whole = archive.read("tenant.db")
        for readable in (secret, "rosebud-1941", "https://x/reset", *them.tenant.keys.values()):
            assert readable.encode() not in whole
        tokens = set(re.findall(rb"gAAAA[\w-]{60,}={0,2}", whole))
        assert len(tokens) >= 4
        for token in tokens:
            assert vault.try_unseal(them.old.app.settings.data_dir, token.decode()) is None
        await them.bring_in(tmp_path / "red.zip")
        row = await them.new.app.db.row("select body from emails")
        assert row and row["body"] == "Your link: https://x/reset"
        assert not (them.new.app.settings.data_dir / "moving").exists()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def something_else(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", '{"format": "other"}')


def changed_manifest(path: Path) -> None:
    _rewrite(path, lambda manifest: msgspec.structs.replace(manifest, is_copy=not manifest.is_copy))


def no_salt(path: Path) -> None:
    _rewrite(path, lambda manifest: msgspec.structs.replace(manifest, salt="no base64"))


def newer_format(path: Path) -> None:
    _rewrite(path, lambda manifest: msgspec.structs.replace(manifest, format_version=99))


def newer_schema(path: Path) -> None:
    _rewrite(path, lambda manifest: msgspec.structs.replace(manifest, schema=9999))


def swapped_database(path: Path) -> None:
    _rewrite(path, lambda manifest: manifest, lambda database: database + b"more")


def _rewrite(
    path: Path,
    change: Callable[[Manifest], Manifest],
    change_database: Callable[[bytes], bytes] = lambda database: database,
) -> None:
    with zipfile.ZipFile(path) as archive:
        manifest = msgspec.json.decode(archive.read("manifest.json"), type=Manifest)
        database = archive.read("tenant.db")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", msgspec.json.encode(change(manifest)))
        archive.writestr("tenant.db", change_database(database))


DAMAGES: dict[Change, str] = {
    cut: "not_an_export",
    flip: "not_an_export",
    empty: "not_an_export",
    something_else: "not_an_export",
    changed_manifest: "not_an_export",
    no_salt: "not_an_export",
    swapped_database: "not_an_export",
    newer_format: "export_too_new",
    newer_schema: "export_too_new",
}


async def test_a_file_that_is_damaged_or_too_new_changes_nothing(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        await them.export(tmp_path / "red.zip")
        whole = (tmp_path / "red.zip").read_bytes()
        for change, code in DAMAGES.items():
            (tmp_path / "red.zip").write_bytes(whole)
            change(tmp_path / "red.zip")
            await refused(them, tmp_path / "red.zip", code)


async def refused(them: Machines, path: Path, code: str, **fields: Any) -> str:
    """What the refusal says. Nothing was changed by it."""
    before = await _everything(them)
    with pytest.raises(FlowChatError) as refusal:
        await them.bring_in(path, **fields)
    assert refusal.value.code == code
    assert await _everything(them) == before
    assert not (them.new.app.settings.data_dir / "moving").exists()
    return refusal.value.message


async def _everything(them: Machines) -> dict[str, int]:
    counts = {}
    for name in [*(table.name for table in TABLES), "chunks_fts", "messages_fts"]:
        row = await them.new.app.db.row(f"select count(*) from {name}")
        counts[name] = int(row[0]) if row else 0
    return counts


async def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        path, tenant_id = tmp_path / "red.zip", them.tenant.ids["tenant"]
        await subscribe(them.old.app.db, tenant_id, plan_of("business", included_queries=5))
        await them.export(path)
        assert "passphrase" in await refused(them, path, "wrong_passphrase", passphrase="something else entirely")
        assert "under another slug" in await refused(them, path, "slug_taken", slug="green")
        await them.new.app.db.write(lambda conn: _insert_plan(conn, "business", 6))
        assert "other terms" in await refused(them, path, "plan_differs")
        await refused(them, path, "not_found", plan="gold")
        await refused(them, tmp_path / "none.zip", "no_file")
        imported = await them.bring_in(path, plan="green")
        assert imported.tenant.plan and imported.tenant.plan.slug == "green"
        assert "already" in await refused(them, path, "tenant_exists", plan="green")
        with pytest.raises(FlowChatError) as short:
            request = moving.Export(passphrase="short")
            await moving.export_to(them.old.app, await operator(them.old.app), "red", request, path, settle_s=0)
        assert short.value.code == "passphrase_too_short"


def _insert_plan(conn: Connection, slug: str, included: int) -> None:
    plans.insert(conn, plan_of(slug, included_queries=included))


async def test_an_import_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_machines(tmp_path) as them:
        await them.export(tmp_path / "red.zip")
        with monkeypatch.context() as patched:

            def breaks(*arguments: object) -> None:
                raise FlowChatError("broken_off", "The disk is gone.")

            patched.setattr(chunks, "index_again", breaks)
            await refused(them, tmp_path / "red.zip", "broken_off")
        await them.bring_in(tmp_path / "red.zip")


async def test_an_export_that_fails_lets_the_tenant_go_on(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        (them.old.app.settings.data_dir / vault.SECRET_FILE).write_bytes(Fernet.generate_key()[:32])
        with pytest.raises(FlowChatError) as refusal:
            await them.export(tmp_path / "red.zip")
        assert refusal.value.code == "secret_key_changed"
        assert list(tmp_path.glob("red.zip*")) == []
        tenant = await tenants.get(them.old.app, await operator(them.old.app), "red")
        assert tenant.moved_at is None


async def test_a_file_of_an_older_schema_is_migrated(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        await them.export(tmp_path / "red.zip")
        with zipfile.ZipFile(tmp_path / "red.zip") as archive:
            archive.extractall(tmp_path)
        database = tmp_path / "tenant.db"
        with closing(connect(database)) as conn:
            conn.execute("alter table tenants drop column moved_at")
            conn.execute("pragma user_version = 7")
            conn.execute("pragma journal_mode = delete")
        manifest = msgspec.json.decode((tmp_path / "manifest.json").read_bytes(), type=Manifest)
        older = msgspec.structs.replace(manifest, schema=7, seal="")
        passphrase = Passphrase.of(PASSPHRASE, tenant_files.salt_of(manifest))
        tenant_files.write(tmp_path / "older.zip", older, database, passphrase)
        imported = await them.bring_in(tmp_path / "older.zip")
        assert imported.tenant.slug == "red" and imported.tenant.moved_at is None


async def test_a_database_with_more_in_it_is_not_taken(tmp_path: Path) -> None:
    """Whoever knows the passphrase could have put a trigger into it."""
    async with two_machines(tmp_path) as them:
        await them.export(tmp_path / "red.zip")
        with zipfile.ZipFile(tmp_path / "red.zip") as archive:
            archive.extractall(tmp_path)
        database = tmp_path / "tenant.db"
        with closing(connect(database)) as conn:
            conn.execute("create trigger x after update on keys begin delete from keys; end")
            conn.execute("pragma journal_mode = delete")
        manifest = msgspec.json.decode((tmp_path / "manifest.json").read_bytes(), type=Manifest)
        passphrase = Passphrase.of(PASSPHRASE, tenant_files.salt_of(manifest))
        tenant_files.write(tmp_path / "more.zip", manifest, database, passphrase)
        await refused(them, tmp_path / "more.zip", "not_an_export")


async def test_one_move_at_a_time(tmp_path: Path) -> None:
    async with two_machines(tmp_path) as them:
        await them.export(tmp_path / "red.zip")
        with tenant_files.workplace(them.new.app.settings.data_dir):
            with pytest.raises(FlowChatError) as refusal:
                await them.bring_in(tmp_path / "red.zip")
            assert refusal.value.code == "move_running"
        (them.new.app.settings.data_dir / "moving").mkdir()
        tenant_files.clean_up(them.new.app.settings.data_dir)
        assert not (them.new.app.settings.data_dir / "moving").exists()
