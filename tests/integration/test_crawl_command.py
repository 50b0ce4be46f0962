"""What `flowchat crawl --wait` tells, beside a running appliance."""

import asyncio
import json
import os
import sys
from pathlib import Path

import web_server
from appliance import operator
from crawling import chain, html
from loopback import answer
from loopback import serving as serving_site
from test_ask import cli, work

from flowchat.app import holding
from flowchat.services import jobs


async def test_what_changed_and_why_pages_are_missing(tmp_path: Path) -> None:
    async with web_server.serving(tmp_path) as served, serving_site() as site:
        robots = answer(b"User-agent: *\nDisallow: /private\n", content_type="text/plain")
        site.answers = {**chain(3), "/robots.txt": robots}
        with holding(tmp_path, served.url):
            working = asyncio.create_task(work(served.app))
            first = await cli(tmp_path, "crawl", site.url, "--slug", "site", "--wait")
            job_id = first.stdout.partition(" ")[0]
            assert (first.returncode, first.stdout.splitlines()) == (
                0,
                [
                    f"{job_id} succeeded: 3 pages indexed, 3 chunks (3 embedded)",
                    "",
                    "pages  outcome  reason",
                    "    1  failed   http_404",
                ],
            )
            assert "\r" not in first.stderr and "New source 'site'" in first.stderr
            site.answers |= {"/p2": html("Now it is about mango.", "/private", "/private2", "/new")}
            site.answers |= {"/new": html("Nobody has seen this before.")}
            again = await cli(tmp_path, "crawl", site.url, "--wait", "--accept-removals")
            assert again.stdout.splitlines()[1:] == [
                "Pages: 1 added, 1 changed, 0 removed, 2 unchanged",
                "",
                "pages  outcome  reason",
                "    2  skipped  robots",
            ]
            job = await jobs.get(served.app, await operator(served.app), again.stdout.partition(" ")[0])
            assert job.accept_removals
            working.cancel()
            await asyncio.wait({working})


async def test_a_crawl_that_is_paused_is_waited_for(tmp_path: Path) -> None:
    async with web_server.serving(tmp_path) as served, serving_site() as site:
        site.answers = chain(3)
        actor = await operator(served.app)
        with holding(tmp_path, served.url):
            queued = json.loads((await cli(tmp_path, "crawl", site.url, "--json")).stdout)
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "flowchat", "crawl", site.url, "--wait"],
                env={**os.environ, "FLOWCHAT_DATA_DIR": str(tmp_path), "FLOWCHAT_EMBEDDER": "fake-embedder"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stderr is not None
            telling = asyncio.create_task(process.stderr.readuntil(b"is paused."))
            while not telling.done():  # what is paused before the command begins, it resumes
                await jobs.pause(served.app, actor, queued["id"])
                await asyncio.wait({telling}, timeout=0.2)
            assert queued["id"] in telling.result().decode() and process.returncode is None
            await jobs.resume(served.app, actor, queued["id"])
            working = asyncio.create_task(work(served.app))
            output, more = await process.communicate()
            assert (process.returncode, b"3 pages indexed" in output) == (0, True)
            assert more.count(b"is paused") == 0
            working.cancel()
            await asyncio.wait({working})


async def test_crawling_again_resumes_what_is_paused(tmp_path: Path) -> None:
    async with web_server.serving(tmp_path) as served, serving_site() as site:
        site.answers = chain(3)
        with holding(tmp_path, served.url):
            queued = json.loads((await cli(tmp_path, "crawl", site.url, "--json")).stdout)
            await jobs.pause(served.app, await operator(served.app), queued["id"])
            again = await cli(tmp_path, "crawl", site.url, "--json")
    assert (json.loads(again.stdout)["id"], json.loads(again.stdout)["paused_at"]) == (queued["id"], None)
    assert f"{queued['id']} was paused. It goes on now." in again.stderr
