"""`flowchat ask` and `flowchat crawl` beside a running appliance: processes of their own on its data folder."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import web_server
from appliance import operator
from crawling import chain
from loopback import serving as serving_site

from flowchat.answer.pipeline import Answer, Question
from flowchat.app import holding
from flowchat.domain import Event
from flowchat.errors import FlowChatError
from flowchat.services import keys, worker
from flowchat.services.context import Appliance
from flowchat.store import jobs as job_store


async def cli(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flowchat", *arguments],
            env={**os.environ, "FLOWCHAT_DATA_DIR": str(folder), "FLOWCHAT_EMBEDDER": "fake-embedder"},
            capture_output=True,
            text=True,
            check=False,
        )

    return await asyncio.to_thread(run)


async def broken(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    yield Event("retrieval.started", {"query": question.query})
    raise FlowChatError("out_of_order", "The model is out of order.", status=503)


async def test_ask(tmp_path: Path) -> None:
    async with web_server.serving(tmp_path) as served:
        with holding(tmp_path, served.url):
            told = await cli(tmp_path, "ask", "May I return it?", "--source", "shop")
            assert (told.returncode, told.stderr) == (0, "")
            assert told.stdout.startswith("You may return it within 30 days. [1] Sending it back is free. [2]\n\n")
            assert "[1] Returns: https://shop.example/returns#time\n[2] Returns: " in told.stdout

            whole = json.loads((await cli(tmp_path, "ask", "May I?", "--json")).stdout)
            assert (whole["refusal"], [citation["ref"] for citation in whole["citations"]]) == (False, [1, 2])

            served.answerer.script = web_server.refusal
            told = await cli(tmp_path, "ask", "What is the weather?")
            assert told.returncode == 0
            assert (
                "Not answered (no_match)." in told.stdout and "See also: Help: https://shop.example/help" in told.stdout
            )

            served.answerer.script = broken
            told = await cli(tmp_path, "ask", "Really?")
            assert told.returncode == 1 and "flowchat: The model is out of order." in told.stderr

            told = await cli(tmp_path, "ask", "Really?", "--source", "nowhere")
            assert (told.returncode, told.stderr) == (1, "flowchat: No source 'nowhere'.\n")
        left = await keys.list_all(served.app, await operator(served.app))
        assert [key.name for key in left].count("command line") == 1


async def work(app: Appliance) -> None:
    """What the appliance's workers do."""
    while True:
        for job_id in await job_store.waiting(app.db):
            await worker.run(app, job_id)
        await asyncio.sleep(0.05)


async def test_crawl(tmp_path: Path) -> None:
    async with web_server.serving(tmp_path, allow_private_hosts=("127.0.0.1",)) as served, serving_site() as site:
        site.answers = chain(3)
        with holding(tmp_path, served.url):
            told = await cli(tmp_path, "crawl", site.url, "--slug", "site", "--json")
            job = json.loads(told.stdout)
            assert (told.returncode, job["status"], job["type"]) == (0, "queued", "crawl")
            same = json.loads((await cli(tmp_path, "crawl", site.url, "--json")).stdout)
            assert same["id"] == job["id"]  # it is at it already

            worker = asyncio.create_task(work(served.app))
            told = await cli(tmp_path, "crawl", site.url, "--wait", "--json")
            finished = json.loads(told.stdout)
            assert (told.returncode, finished["status"], finished["source"]) == (0, "succeeded", job["source"])
            assert finished["progress"]["indexed"] == 3

            other = await cli(tmp_path, "crawl", "https://example.com/", "--slug", "site")
            assert other.returncode == 1 and "Choose another --slug" in other.stderr

            site.answers = {}
            told = await cli(tmp_path, "crawl", site.url, "--wait")
            assert told.returncode == 1 and "http_404 (1)" in told.stdout
            worker.cancel()
            await asyncio.wait({worker})
