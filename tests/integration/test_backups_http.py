"""/v1/backups and /v1/outboxes, the page Backups, and backups that are made by themselves."""

from pathlib import Path

import pytest
from appliance import operator, running
from backing_up import back_up, restore
from clock import Clock
from signing_in import signed_in
from test_machine import as_operator, listed
from web_server import Served, serving

from flowchat.services import backup_archive, backup_files, backup_runs


async def made(served: Served) -> str:
    """A backup's id, once it is there."""
    response = await served.call("POST", "/v1/backups")
    assert response.status_code == 202, response.text
    told = response.json()
    assert told["kept"] and told["status"] == "running" and response.headers["Location"] == f"/v1/backups/{told['id']}"
    served.app.backups.wait()
    return str(told["id"])


async def test_made_read_downloaded_and_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await as_operator(served)
        name = await made(served)
        [found] = await listed(served, "/v1/backups")
        assert found == (await served.call("GET", f"/v1/backups/{name}")).json()
        assert (found["id"], found["status"], found["uploaded"], found["error"]) == (name, "ready", False, None)
        assert found["rows"]["tenants"] == 1 and found["database_bytes"] > found["bytes"]
        file = await served.call("GET", f"/v1/backups/{name}/download")
        assert file.headers["Content-Type"] == "application/zip"
        assert file.headers["Content-Disposition"] == f"attachment; filename={name}.zip"
        (tmp_path / "taken.zip").write_bytes(file.content)
        manifest = backup_archive.read_manifest(tmp_path / "taken.zip")
        backup_archive.verify(tmp_path / "taken.zip", manifest)
        assert manifest.database.sha256 == found["sha256"]
        assert (await served.call("DELETE", f"/v1/backups/{name}")).status_code == 204
        assert await listed(served, "/v1/backups") == []
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/download")):
            assert (await served.call(method, f"/v1/backups/{name}{path}")).status_code == 404


@pytest.mark.parametrize("name", ["..", "flowchat", "flowchat-20261124-000000", "%2e%2e%2fflowchat"])
async def test_no_other_file_is_a_backup(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path) as served:
        await as_operator(served)
        assert (await served.call("GET", f"/v1/backups/{name}/download")).status_code == 404


async def test_one_that_fails_is_told_until_the_next_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        await as_operator(served)
        with monkeypatch.context() as patch:
            patch.setattr("flowchat.services.backup_making.SPARE_BYTES", 10**18)
            name = await made(served)
        [failed] = await listed(served, "/v1/backups")
        assert (failed["id"], failed["status"]) == (name, "failed") and "MB free" in failed["error"]
        assert "The last backup failed" in (await me.get("/admin/backups")).text
        await made(served)
        assert [backup["status"] for backup in await listed(served, "/v1/backups")] == ["ready"]
        assert "The last backup failed" not in (await me.get("/admin/backups")).text


async def test_by_itself_when_it_is_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ticks = Clock(monkeypatch, "2026-11-24T04:00:00.000Z"), [1000.0]
    monkeypatch.setattr(backup_runs, "time", type("Time", (), {"monotonic": staticmethod(lambda: ticks[0])}))

    def names() -> list[str]:
        app.backups.look()
        app.backups.wait()
        return backup_files.names(app.settings)

    def go_on(minutes: float) -> None:
        clock.go_on(minutes=minutes)
        ticks[0] += minutes * 60

    async with running(tmp_path, backup_keep_hourly=2, backup_keep_daily=0, backup_keep_weekly=0) as app:
        await operator(app)
        assert names() == []  # it has just started
        go_on(3)
        assert names() == ["flowchat-20261124-040300"]
        go_on(50)
        assert len(names()) == 1
        go_on(10)
        assert names()[0] == "flowchat-20261124-050300"
        clock.go_on(days=-2)  # a clock that goes back makes no more of them, and no less
        assert len(names()) == 2
        go_on(60)
        assert names()[-1] == "flowchat-20261122-060300" and len(names()) == 3
    async with running(tmp_path, backup_every_hours=0) as app:
        go_on(600)
        assert len(names()) == 3


async def test_the_banner_and_the_release(tmp_path: Path) -> None:
    async with running(tmp_path / "old") as app:
        await operator(app)
        archive = back_up(tmp_path / "old")
    await restore(tmp_path / "new", archive)
    async with (
        serving(tmp_path / "new") as served,
        signed_in(served, operator=True) as me,
        signed_in(served, "editor") as editor,
    ):
        await as_operator(served)
        told = (await served.call("GET", "/v1/outboxes")).json()
        assert told["held"] and told["restore"]["backup"] == archive.stem
        for path in ("/admin/backups", "/admin/sources", "/admin/account"):
            assert f"Restored from {archive.stem}." in (await me.get(path)).text
        assert "Restored from" not in (await editor.get("/admin/sources")).text
        assert (await editor.get("/admin/backups")).status_code == 403
        assert (await me.post("/admin/outboxes/release", older="later")).status_code == 303
        assert (await served.call("GET", "/v1/outboxes")).json()["held"]
        assert (await me.post("/admin/outboxes/release", older="drop")).status_code == 303
        page = (await me.get("/admin/backups")).text
        assert "Restored from" not in page and "are sent again" in page
        assert not (await served.call("GET", "/v1/outboxes")).json()["held"]
        answer = await served.call("POST", "/v1/outboxes/release", json={"older": "send"})
        assert (answer.status_code, answer.json()["code"]) == (409, "outboxes_not_held")


async def test_on_the_page(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        assert "No backup yet" in (await me.get("/admin/backups")).text
        assert (await me.post("/admin/backups")).status_code == 303
        served.app.backups.wait()
        [name] = backup_files.names(served.app.settings)
        page = (await me.get("/admin/backups")).text
        assert name in page and "verified" in page and "by hand" in page
        assert "What is in it" in (await me.get(f"/admin/backups/{name}")).text
        assert (await me.get(f"/admin/backups/{name}/download")).content[:2] == b"PK"
        assert (await me.post(f"/admin/backups/{name}/delete")).status_code == 303
        assert backup_files.names(served.app.settings) == []
        assert f"{name} is deleted." in (await me.get("/admin/backups")).text
