"""SIGKILL at random moments of recording and delivering events.

FLOWCHAT_TEST_WEBHOOK_KILLS sets how many (5 by default; releases are tried with 500).
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from appliance import operator, running
from receiving import endpoint

from flowchat.store.database import connect

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("FLOWCHAT_TEST_WEBHOOK_KILLS", "5"))
EVENTS_A_SECOND = 50
LONGEST_LIFE_S = 0.6
FAILS = 0.05  # of the answers
DRAIN_TIMEOUT_S = 600
PATHS = ("/a", "/b")
FOLDER = Path(__file__).parent


class Sink(ThreadingHTTPServer):
    """Answers after up to 30 ms, now and then with 500; counts the ids of the events it has accepted."""

    daemon_threads = True

    def __init__(self) -> None:
        self.accepted: Counter[tuple[str, str]] = Counter()  # (path, event id)
        self.chance = random.Random(20261123)
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """The other side was killed."""


class Handler(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.chance.uniform(0, 0.03))
        is_failure = self.server.chance.random() < FAILS
        if not is_failure:
            self.server.accepted[self.path, body["id"]] += 1
        self.send_response(500 if is_failure else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def sink() -> Iterator[Sink]:
    with Sink() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def start(data_dir: Path, events_per_s: float) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": f"{FOLDER.parent}:{FOLDER.parent.parent}"}
    command = [sys.executable, str(FOLDER / "webhook_process.py"), str(data_dir), str(events_per_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> list[str]:
    """What it had printed. A line that was cut off tells of nothing."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout
    printed = process.stdout.read()
    process.stdout.close()
    process.wait()
    return [line.strip() for line in printed.splitlines(keepends=True) if line.endswith("\n")]


def drain(data_dir: Path) -> None:
    """Let a process deliver what is left."""
    process = start(data_dir, 0)
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    with closing(connect(data_dir / "flowchat.db")) as database:
        while database.execute("select count(*) from deliveries where next_attempt_at is not null").fetchone()[0]:
            assert time.monotonic() < deadline, "what is due is not delivered"
            # A delivery that fails again would be tried after five minutes only.
            database.execute(
                "update deliveries set next_attempt_at = created_at where tries > 1 and next_attempt_at is not null"
            )
            time.sleep(0.5)
    kill(process)


async def prepare(data_dir: Path, urls: list[str]) -> None:
    """A database with these endpoints."""
    async with running(data_dir) as app:
        await operator(app)
        for url in urls:
            await endpoint(app, url)


def test_kills_lose_no_event(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    printed: list[str] = []
    with sink() as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        asyncio.run(prepare(tmp_path, [url + path for path in PATHS]))
        for _ in range(KILLS):
            process = start(tmp_path, EVENTS_A_SECOND)
            time.sleep(chance.uniform(0, LONGEST_LIFE_S))
            printed += kill(process)
        drain(tmp_path)
    with closing(connect(tmp_path / "flowchat.db")) as database:
        stored = {row["id"] for row in database.execute("select id from events")}
        status = Counter(row["status"] for row in database.execute("select status from deliveries"))
        assert database.execute("pragma integrity_check").fetchone()[0] == "ok"
    assert set(printed) <= stored
    assert status == {"succeeded": len(PATHS) * len(stored)}
    lost = [(path, event_id) for path in PATHS for event_id in stored if not server.accepted[path, event_id]]
    assert lost == []
    twice = sum(count - 1 for count in server.accepted.values())
    print(f"{KILLS} kills, {len(stored)} events, {status['succeeded']} deliveries, 0 lost, {twice} repeated")
