"""Jobs in the admin."""

import asyncio
from pathlib import Path

import pytest
from crawling import chain, site, work
from signing_in import Me, signed_in
from web_server import Served, serving

from flowchat.services import worker
from flowchat.store import tenants

JOBS = "/admin/jobs"


async def queued(served: Served, me: Me, url: str) -> str:
    """The job of a new source `site`."""
    await me.post("/admin/sources", url=url, slug="site")
    return str((await served.call("GET", "/v1/jobs?source=site")).json()["data"][0]["id"])


async def status(served: Served, job: str) -> tuple[str, bool]:
    """(status, whether it is paused)"""
    found = (await served.call("GET", f"/v1/jobs/{job}")).json()
    return found["status"], found["paused_at"] is not None


async def test_the_list_and_its_filters(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me, signed_in(served) as boss:
        async with site(chain(3)) as server:
            job = await queued(served, boss, server.url)
            await work(served.app)
        page = (await me.get(JOBS)).text
        name = (await served.call("GET", "/v1/sources/site")).json()["name"]
        assert f'<option value="site">{name}</option>' in page and f'<a href="/admin/sources/site">{name}</a>' in page
        assert job in page and "3 of 4" in page and "succeeded" in page
        assert job in (await me.get(f"{JOBS}?source=site&status=succeeded")).text
        assert job not in (await me.get(f"{JOBS}?status=failed")).text
        assert "No job fits" in (await me.get(f"{JOBS}?source=shop")).text
        assert (await me.get(f"{JOBS}?source=nothing")).status_code == 404
        assert (await me.get(f"{JOBS}?status=lost")).status_code == 400


async def test_watch_pause_resume_and_cancel(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me, site(chain(30)) as server:
        job = await queued(served, me, server.url)
        page = (await me.get(f"{JOBS}/{job}")).text
        assert f'data-live="{JOBS}/{job}/live"' in page and "Pause" in page and "Cancel this job?" in page
        back = await me.post(f"{JOBS}/{job}/pause", source="site")
        assert back.headers["Location"] == "/admin/sources/site"
        assert await status(served, job) == ("queued", True)
        page = (await me.get("/admin/sources/site")).text
        assert "It is paused." in page and "data-live" not in page and "Resume" in page
        assert (await me.post(f"{JOBS}/{job}/resume")).headers["Location"] == f"{JOBS}/{job}"
        assert await status(served, job) == ("queued", False)
        await me.post(f"{JOBS}/{job}/cancel")
        assert await status(served, job) == ("canceled", False)
        again = await me.post(f"{JOBS}/{job}/cancel")
        assert again.status_code == 303 and "is over: canceled" in (await me.get(f"{JOBS}/{job}")).text


async def test_progress_is_told_while_it_works_and_then_the_page_comes_anew(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, site(chain(4)) as server:
        job = await queued(served, me, server.url)
        asked = {"headers": {"HX-Request": "true"}}
        answered = await me.get(f"{JOBS}/{job}/progress", **asked)
        assert answered.status_code == 200 and "HX-Refresh" not in answered.headers
        assert answered.text.lstrip().startswith('<div class="live"') and "waiting" in answered.text
        working = asyncio.create_task(worker.run(served.app, job))
        seen = answered
        while "HX-Refresh" not in seen.headers:
            seen = await me.get(f"{JOBS}/{job}/progress", **asked)
        await working
        assert "succeeded" in seen.text and "5 of 5 pages" in seen.text and "data-live" not in seen.text


async def test_a_stream_says_when_a_job_has_changed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, site(chain(4)) as server:
        job = await queued(served, me, server.url)
        working = None
        heard = []
        async with me.client.stream("GET", f"{JOBS}/{job}/live") as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            async for line in response.aiter_lines():
                heard += [line] if line.startswith("event:") else []
                working = working or asyncio.create_task(worker.run(served.app, job))
        assert working
        await working
        assert heard[0] == "event: changed" and heard[-2:] == ["event: changed", "event: over"]


async def test_the_stream_ends_with_the_session(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, site(chain(4)) as server:
        job = await queued(served, me, server.url)
        async with me.client.stream("GET", f"{JOBS}/{job}/live") as response:
            await served.app.db.write(lambda conn: conn.execute("delete from sessions"))
            assert "event: over" not in [line async for line in response.aiter_lines()]


async def test_the_stream_ends_when_its_job_is_deleted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, site(chain(4)) as server:
        job = await queued(served, me, server.url)
        async with me.client.stream("GET", f"{JOBS}/{job}/live") as response:
            await served.app.db.write(lambda conn: conn.execute("delete from jobs"))
            assert "event: over" in [line async for line in response.aiter_lines()]


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
async def test_who_may_not_touch_a_job(tmp_path: Path, verb: str) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me, signed_in(served, "viewer") as viewer:
        job = await queued(served, me, "http://127.0.0.1:9/")
        page = (await viewer.get(f"{JOBS}/{job}")).text
        assert "Pause" not in page and "Cancel" not in page
        assert (await viewer.post(f"{JOBS}/{job}/{verb}")).status_code == 403
        assert await status(served, job) == ("queued", False)
        other = await served.app.db.write(lambda conn: tenants.insert(conn, "other", "Other"))
        await served.app.db.write(lambda conn: conn.execute("update jobs set tenant_id = ?", (other.id,)))
        for path in ("", "/progress", "/live"):
            assert (await me.get(f"{JOBS}/{job}{path}")).status_code == 404
        assert (await me.post(f"{JOBS}/{job}/{verb}")).status_code == 404
        assert (await me.get(f"{JOBS}/job_nothing")).status_code == 404
