"""The appliance, its workers and a Redis as processes of their own, on a folder and with fake models."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowchat import settings as settings_table
from flowchat.app import open_context
from flowchat.domain import JobStatus
from flowchat.services import keys
from flowchat.services.key_requests import NewAdminKey
from flowchat.services.tenants import actor_for_cli

TESTS = Path(__file__).resolve().parent
TIMEOUT_S = 60  # of a busy machine


def environ_of(folder: Path, **settings: object) -> dict[str, str]:
    given = {"data_dir": folder, "embedder": "fake-embedder", "port": 0, "allow_private_hosts": "127.0.0.1", **settings}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLOWCHAT_")}
    return {**clean, **{f"FLOWCHAT_{name.upper()}": str(value) for name, value in given.items()}}


async def start(script: str, environ: dict[str, str], ready: bytes) -> tuple[Process, str]:
    """A running script of this folder, and the line with which it said that it is ready, without its beginning."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(TESTS / script)), env=environ, stdout=PIPE, stderr=DEVNULL
    )
    assert process.stdout
    async with asyncio.timeout(TIMEOUT_S):
        while line := await process.stdout.readline():
            if line.startswith(ready):
                return process, line.removeprefix(ready).decode().strip()
    raise AssertionError(f"{script} has ended with {await process.wait()} instead of getting ready")


async def end(process: Process, how: signal.Signals = signal.SIGTERM) -> int:
    """Its exit code."""
    if process.returncode is None:
        process.send_signal(how)
    await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    assert process.returncode is not None
    return process.returncode


@dataclass
class Running:
    """An appliance whose server crawls nothing itself, unless told otherwise."""

    folder: Path
    environ: dict[str, str]
    process: Process
    client: httpx.AsyncClient
    workers: list[Process] = field(default_factory=list)

    async def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = await self.client.request(method, path, **options)
        assert response.is_success, response.text
        return dict(response.json())

    async def ask(self, query: str) -> dict[str, Any]:
        key = await self.call("POST", "/v1/keys", json={"type": "widget", "name": "test"})
        headers = {"X-FlowChat-Key": key["key"], "Accept": "application/json"}
        return await self.call("POST", "/v1/chat", json={"query": query}, headers=headers)

    async def worker(self) -> Process:
        process, _ = await start("work_fakes.py", self.environ, b"working for ")
        self.workers.append(process)
        return process

    async def new_crawl(self, url: str, slug: str = "site") -> str:
        """The id of its job."""
        source = await self.call("POST", "/v1/sources", json={"url": url, "slug": slug})
        return str(source["job"]["id"])

    async def until(self, job_id: str, *status: JobStatus, done: int = 0) -> dict[str, Any]:
        """The job, once it is in one of these states with so many pages done."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                job = await self.call("GET", f"/v1/jobs/{job_id}")
                if job["status"] in status and job["progress"]["done"] >= done:
                    return job
                await asyncio.sleep(0.05)


@asynccontextmanager
async def appliance(folder: Path, **settings: object) -> AsyncIterator[Running]:
    environ = environ_of(folder, **{"crawl_workers": 0, **settings})
    process, url = await start("serve_fakes.py", environ, b"ready ")
    try:
        async with open_context(settings_table.load(environ)) as context:
            _, key = await keys.create(context, await actor_for_cli(context.db, None), NewAdminKey())
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S) as client:
            running = Running(folder, environ, process, client)
            try:
                yield running
            finally:
                await end(process)
                for worker in running.workers:  # which end with their server
                    await asyncio.wait_for(worker.communicate(), TIMEOUT_S)
    finally:
        await end(process)


class Redis:
    """A Redis of Debian's on a free port of loopback, which keeps nothing on the disk."""

    def __init__(self, port: int, *options: str) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._options = options
        self._process: Process | None = None

    async def start(self) -> None:
        told = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *self._options)
        self._process = await asyncio.create_subprocess_exec("redis-server", *told, stdout=DEVNULL, stderr=DEVNULL)
        async with asyncio.timeout(TIMEOUT_S):
            while not await self._answers():  # noqa: ASYNC110 (another process can't set an Event)
                await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        writer.close()
        return answer == b"+PONG\r\n"

    async def kill(self) -> None:
        assert self._process
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def redis_server(*options: str) -> AsyncIterator[Redis]:
    """Skips the test where there is none."""
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server on PATH: apt-get install redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        redis = Redis(free.getsockname()[1], *options)
    await redis.start()
    try:
        yield redis
    finally:
        await redis.kill()
