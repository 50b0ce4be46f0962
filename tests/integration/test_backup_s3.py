"""Backups at S3: taken there, rotated there, fetched and restored from there; and what happens while it is away."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from appliance import running, settings_for
from backing_up import back_up, restore_now
from s3_server import BUCKET, S3, s3_server

from flowchat.errors import FlowChatError
from flowchat.net import s3 as s3_client
from flowchat.services import backup_files, backup_uploads
from flowchat.store.migrate import migrate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3_server() as found:
        yield found


@pytest.fixture
def s3(server: S3) -> S3:
    for key in server.names():
        server.client.delete_object(Bucket=BUCKET, Key=key)
    return server


def quietly(step: str, done: int, total: int) -> None: ...


def test_there_and_back(tmp_path: Path, s3: S3) -> None:
    migrate(tmp_path / "flowchat.db")
    settings = settings_for(tmp_path, **s3.settings)
    made = back_up(tmp_path)
    assert backup_uploads.upload_missing(settings) == 1
    assert backup_uploads.upload_missing(settings) == 0
    assert s3.names() == [f"one/{made.name}"]
    assert s3.client.get_object(Bucket=BUCKET, Key=f"one/{made.name}")["Body"].read() == made.read_bytes()
    elsewhere = settings_for(tmp_path / "elsewhere", **s3.settings)
    assert backup_uploads.names(elsewhere) == [made.stem]
    fetched = backup_uploads.fetch(elsewhere, made.stem, quietly)
    assert fetched.read_bytes() == made.read_bytes() and backup_uploads.missing(elsewhere) == []
    restore_now(tmp_path / "elsewhere", fetched)


def test_old_ones_go_there_too_unless_a_rule_of_the_bucket_does_it(tmp_path: Path, s3: S3) -> None:
    for name in ("flowchat-20200101-000000", "flowchat-20200101-000001-kept"):
        s3.client.put_object(Bucket=BUCKET, Key=f"one/{name}.zip", Body=b"x")
    s3.client.put_object(Bucket=BUCKET, Key="one/somebody-elses.zip", Body=b"x")
    migrate(tmp_path / "flowchat.db")
    few = {"backup_keep_hourly": 1, "backup_keep_daily": 0, "backup_keep_weekly": 0}
    first = back_up(tmp_path, is_kept=False)
    backup_uploads.upload_missing(settings_for(tmp_path, **s3.settings, **few, backup_s3_rotate=False))
    assert len(s3.names()) == 4
    second = back_up(tmp_path, is_kept=False)
    backup_uploads.upload_missing(settings_for(tmp_path, **s3.settings, **few))
    stay = [f"one/{second.name}", "one/flowchat-20200101-000001-kept.zip", "one/somebody-elses.zip"]
    assert sorted(s3.names()) == sorted(stay) and first.exists()


def test_a_server_that_is_away_is_said_and_tried_again(tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "RETRIES", 0)
    migrate(tmp_path / "flowchat.db")
    back_up(tmp_path)
    away = settings_for(tmp_path, **{**s3.settings, "backup_s3_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(FlowChatError, match="did not take") as caught:
        backup_uploads.upload_missing(away)
    assert caught.value.code == "s3_failed" and "Debug source" not in caught.value.message
    assert "secret" not in caught.value.message
    assert backup_uploads.upload_missing(settings_for(tmp_path, **s3.settings)) == 1


async def test_the_appliance_goes_on_while_it_is_away(tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "RETRIES", 0)
    away = {**s3.settings, "backup_s3_endpoint": "http://127.0.0.1:9"}
    async with running(tmp_path, **away) as app:
        run = app.backups.start(is_kept=True)
        app.backups.wait()
        assert app.backups.run is None and backup_files.names(app.settings) == [run.name]
        assert app.backups.upload_error and "did not take" in app.backups.upload_error
        app.backups.look()  # too soon for another try
        app.backups.wait()
        assert app.backups.upload_error
    async with running(tmp_path, **s3.settings) as app:  # it is back
        app.backups.look()
        app.backups.wait()
        assert app.backups.upload_error is None and s3.names() == [f"one/{run.name}.zip"]


def test_a_damaged_one_is_not_fetched(tmp_path: Path, s3: S3) -> None:
    s3.client.put_object(Bucket=BUCKET, Key="one/flowchat-20260101-000000.zip", Body=b"PK no backup")
    settings = settings_for(tmp_path, **s3.settings)
    with pytest.raises(FlowChatError) as caught:
        backup_uploads.fetch(settings, "flowchat-20260101-000000", quietly)
    assert caught.value.code == "bad_backup" and list((tmp_path / "backups").iterdir()) == []


@pytest.mark.parametrize("name", ["flowchat-20990101-000000", "../flowchat-20260101-000000", "x"])
def test_one_that_is_not_there(tmp_path: Path, s3: S3, name: str) -> None:
    with pytest.raises(FlowChatError) as caught:
        backup_uploads.fetch(settings_for(tmp_path, **s3.settings), name, quietly)
    assert caught.value.code == "not_found"


def test_a_bucket_needs_its_keys(tmp_path: Path) -> None:
    with pytest.raises(FlowChatError, match="ACCESS_KEY"):
        backup_uploads.names(settings_for(tmp_path, backup_s3_bucket="x"))
    with pytest.raises(FlowChatError, match="No bucket"):
        backup_uploads.names(settings_for(tmp_path))


@pytest.mark.slow
def test_on_the_command_line(tmp_path: Path, s3: S3) -> None:
    def flowchat(folder: str, *arguments: str) -> str:
        told = {name.upper(): value for name, value in s3.settings.items()}
        environ = {**os.environ, "FLOWCHAT_DATA_DIR": str(tmp_path / folder)}
        environ |= {f"FLOWCHAT_{name}": value for name, value in told.items()}
        command = [sys.executable, "-m", "flowchat", *arguments]
        return subprocess.run(command, env=environ, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    flowchat("old", "keys", "create", "--type", "admin")
    made = json.loads(flowchat("old", "backup", "--json"))
    name = Path(made["path"]).stem
    [listed] = json.loads(flowchat("new", "backup", "--list", "--json"))
    assert listed == {"name": name, "bytes": None, "on_disk": False, "at_s3": True, "error": None}
    assert f"Restored {name}.zip" in flowchat("new", "restore", f"s3:{name}", "--yes")
    assert "admin" in flowchat("new", "keys", "list")
    assert "All is well" in flowchat("new", "check")
    assert "Released" in flowchat("new", "release", "--older", "drop")
