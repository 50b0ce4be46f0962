"""`flowchat doctor` on folders in which each thing is wrong in turn, and beside a running FlowChat."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import serving as listening
from mailing import mail_server, settings_of
from web_server import serving

from flowchat.app import holding
from flowchat.domain import new_id
from flowchat.services.doctor import CHECKS, DEEP, Facts, examine
from flowchat.services.doctor.findings import Machine
from flowchat.services.vault import seal
from flowchat.settings import Settings
from flowchat.store.database import connect
from flowchat.store.migrate import migrate

HOME = Machine.here()


def facts(folder: Path, **settings: Any) -> Facts:
    return Facts(Settings(data_dir=folder, **settings), None, {}, HOME)


def states(check: str, told: Facts) -> list[str]:
    return [finding.state for finding in (CHECKS | DEEP)[check](told)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good data folder."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    migrate(path / "flowchat.db")
    seal(path, "makes the secret key")
    backup = path / "backups" / "flowchat-20261124-100000.zip"
    backup.parent.mkdir()
    backup.touch()
    return path


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_a_good_folder_is_good_and_stays_as_it_is(folder: Path) -> None:
    before = tree(folder)
    for check in ("folder", "lock", "secret key", "backups", "database", "write-ahead log", "database content"):
        assert states(check, facts(folder)) == ["ok"], check
    assert tree(folder) == before


def open_to_all(folder: Path) -> None:
    (folder / "flowchat.db").chmod(0o644)


def without_key(folder: Path) -> None:
    (folder / "secret.key").unlink()


def damaged_key(folder: Path) -> None:
    (folder / "secret.key").write_bytes(b"short")


def open_key(folder: Path) -> None:
    (folder / "secret.key").chmod(0o640)


def no_backup(folder: Path) -> None:
    shutil.rmtree(folder / "backups")


def old_backup(folder: Path) -> None:
    hours_ago = time.time() - 5 * 3600
    os.utime(next((folder / "backups").iterdir()), (hours_ago, hours_ago))


def too_new(folder: Path) -> None:
    connection = connect(folder / "flowchat.db")
    connection.execute("pragma user_version = 9999")
    connection.close()


def no_database(folder: Path) -> None:
    (folder / "flowchat.db").write_bytes(b"this is no database at all" * 1000)


def older(folder: Path) -> None:
    connection = connect(folder / "flowchat.db")
    connection.execute("pragma user_version = 1")
    connection.close()


def long_wal(folder: Path) -> None:
    with (folder / "flowchat.db-wal").open("wb") as file:
        file.truncate(300_000_000)


def no_agreement(folder: Path) -> None:
    connection = connect(folder / "flowchat.db")
    connection.execute("pragma foreign_keys = off")
    connection.execute(
        "insert into versions (id, source_id, number, status, embedder, extractor, created_at)"
        " values (?, 'src_gone', 1, 'live', 'x', 1, '2026-11-24T00:00:00.000Z')",
        (new_id("ver"),),
    )
    connection.close()


@pytest.mark.parametrize(
    ("harm", "check", "state"),
    [
        (open_to_all, "folder", "warning"),
        (without_key, "secret key", "problem"),
        (damaged_key, "secret key", "problem"),
        (open_key, "secret key", "problem"),
        (no_backup, "backups", "warning"),
        (old_backup, "backups", "warning"),
        (too_new, "database", "problem"),
        (no_database, "database", "problem"),
        (no_database, "database content", "problem"),
        (older, "database", "warning"),
        (long_wal, "write-ahead log", "warning"),
        (no_agreement, "database content", "problem"),
    ],
)
def test_what_is_wrong_with_a_folder(folder: Path, harm: Callable[[Path], None], check: str, state: str) -> None:
    harm(folder)
    found = list((CHECKS | DEEP)[check](facts(folder)))
    assert {finding.state for finding in found} == {state}
    assert all(len(finding.todo) > 10 for finding in found)


def test_no_backups_by_themselves(folder: Path) -> None:
    assert states("backups", facts(folder, backup_every_hours=24.0)) == ["ok"]
    old_backup(folder)
    assert states("backups", facts(folder, backup_every_hours=24.0)) == ["ok"], "three may be missed"
    assert states("backups", facts(folder, backup_every_hours=0.0)) == ["warning"]


def test_a_folder_of_somebody_else(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(folder / "flowchat.db", 12345, 12345)
    (finding,) = CHECKS["folder"](facts(folder))
    assert finding.state == "problem" and "chown 0 " in finding.todo


@pytest.mark.parametrize(
    ("kind", "state"),
    [("ext4", "ok"), ("nfs4", "problem"), ("fuse.sshfs", "problem"), ("tmpfs", "warning")],
)
def test_file_systems(folder: Path, kind: str, state: str) -> None:
    machine = replace(HOME, mounts=(("/", "ext4"), (str(folder.parent), kind)))
    assert states("file system", replace(facts(folder), machine=machine)) == [state]


def test_disks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, state in ((10e9, "ok"), (1e9, "warning"), (1e8, "problem")):
        usage = type(shutil.disk_usage("/"))(int(20e9), 0, int(free))
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        assert states("disk", facts(folder)) == [state]


async def test_ports(folder: Path) -> None:
    async with listening() as other:
        assert states("port", facts(folder, port=other.port)) == ["problem"]
        running = replace(facts(folder, port=other.port), holder=(7, other.url))
        assert [finding.told for finding in CHECKS["port"](running)] == [f"FlowChat serves {other.url} (process 7)"]
    assert states("port", facts(folder, port=0)) == ["ok"]


def test_models(tmp_path: Path) -> None:
    missing = list(CHECKS["models"](facts(tmp_path)))
    assert [finding.state for finding in missing] == ["warning"] * 3, "the verifier is bundled"
    assert all("flowchat models pull" in finding.todo for finding in missing)
    assert states("models", facts(tmp_path, embedder="nobodys")) == ["problem"]
    assert states("model files", facts(tmp_path)) == ["ok"]
    assert states("answer", facts(tmp_path)) == ["problem"]


@pytest.mark.models
def test_damaged_models(tmp_path: Path, models_dir: Path) -> None:
    assert states("models", facts(tmp_path, models_dir=models_dir)) == ["ok"]
    name = Settings().reranker
    shutil.copytree(models_dir / name, tmp_path / "models" / name)
    with (tmp_path / "models" / name / "model.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"other bytes")
    (finding,) = DEEP["model files"](facts(tmp_path))
    assert finding.state == "problem" and "damaged" in finding.told


async def test_mail_servers(folder: Path) -> None:
    async with mail_server() as mailbox:
        there = facts(folder, **settings_of(mailbox))
        assert await asyncio.to_thread(states, "mail server", there) == ["ok"]
    assert mailbox.letters == []
    gone = facts(folder, smtp_url="smtp://127.0.0.1:1", mail_from="a@b.example")
    assert states("mail server", gone) == ["problem"]


async def test_the_network(folder: Path) -> None:
    async with listening() as server:
        assert await asyncio.to_thread(states, "network", facts(folder, hf_endpoint=server.url)) == ["ok"]
    gone = facts(folder, hf_endpoint="http://127.0.0.1:1", generator="openai:m@http://x:y@127.0.0.1:1/v1")
    found = list(DEEP["network"](gone))
    assert [finding.state for finding in found] == ["warning"] * 2
    assert "x:y" not in str(found)


def doctor(folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "FLOWCHAT_DATA_DIR": str(folder), "FLOWCHAT_PORT": "0", **environ}
    command = [sys.executable, "-m", "flowchat", "doctor", *options]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_the_command(folder: Path) -> None:
    told = doctor(folder)
    assert told.returncode == 0 and told.stderr == "", told
    assert "\nok       secret key: " in told.stdout and told.stdout.splitlines()[-1].startswith("0 problems, ")
    without_key(folder)
    told = doctor(folder, "--json", FLOWCHAT_PUBLIK_URL="x", FLOWCHAT_SMTP_URL="smtp://ann:hunter2@127.0.0.1:1")
    assert told.returncode == 1
    found = {finding["check"]: finding for finding in json.loads(told.stdout)}
    assert set(found) == set(CHECKS)
    assert found["secret key"]["state"] == "problem" and found["unknown settings"]["state"] == "warning"
    assert "hunter2" not in told.stdout


async def test_beside_a_running_flowchat(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        with holding(tmp_path, served.url):
            beside = replace(facts(tmp_path), holder=(os.getpid(), served.url))
            told = doctor(tmp_path)
            assert f"FlowChat serves {served.url}" in told.stdout
            assert [finding.state for finding in DEEP["answer"](beside)] == ["ok"]
        assert (await served.ask()).status_code == 200


def test_every_check_is_run(folder: Path) -> None:
    assert {name for name, _ in examine(facts(folder), deep=False)} == set(CHECKS)
