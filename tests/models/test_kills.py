"""SIGKILL at random moments of a crawl, with the real appliance and the real embedder.

FLOWCHAT_TEST_KILLS sets how many (5 by default; releases are tried with 50).
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flowchat.store.database import connect

pytestmark = [pytest.mark.models, pytest.mark.slow]
KILLS = int(os.environ.get("FLOWCHAT_TEST_KILLS", "5"))
PAGES = 60
START_TIMEOUT_S = 120
CRAWL_TIMEOUT_S = 600


class Site(BaseHTTPRequestHandler):
    """PAGES pages that link to the next two, each with text of its own."""

    def do_GET(self) -> None:
        number = int(self.path.strip("/") or 0) if self.path.strip("/").isdigit() or self.path == "/" else -1
        known = 0 <= number < PAGES
        text = " ".join(f"Item {number} has part {part} in drawer {number * part}." for part in range(1, 60))
        links = "".join(f'<a href="/{n}">{n}</a>' for n in (number + 1, number + 2))
        body = f"<title>Item {number}</title><main><h1>Item {number}</h1><p>{text}</p></main>{links}".encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


class Appliance:
    """`flowchat` as a process on a data folder; answers only quote, to start quickly."""

    def __init__(self, data_dir: Path, models_dir: Path) -> None:
        self.database = data_dir / "flowchat.db"
        self._environ = {
            **os.environ,
            "FLOWCHAT_DATA_DIR": str(data_dir),
            "FLOWCHAT_MODELS_DIR": str(models_dir),
            "FLOWCHAT_PORT": "0",
            "FLOWCHAT_GENERATOR": "extractive",
            "FLOWCHAT_ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        }

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "flowchat", "serve"],
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout
        for line in process.stdout:
            if line.startswith("ready "):
                return process
        raise AssertionError(f"the appliance ended with {process.wait()} instead of getting ready")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flowchat", *arguments]
        return subprocess.run(command, env=self._environ, capture_output=True, text=True, check=False)

    def rows(self, sql: str) -> list[sqlite3.Row]:
        connection = connect(self.database)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()


def assert_sound(appliance: Appliance) -> None:
    """No lost source, nothing half visible, database and indexes agree."""
    checked = appliance.run("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert [row["slug"] for row in appliance.rows("select slug from sources where slug = 'items'")] == ["items"]
    for live in appliance.rows(
        "select v.seq, v.status, count(p.id) as pages, sum(p.status = 'queued') as queued from sources s"
        " join versions v on v.id = s.live_version join pages p on p.version = v.seq where s.slug = 'items'"
        " group by v.seq"
    ):
        assert (live["status"], live["queued"]) == ("live", 0) and live["pages"] >= PAGES


def test_kills_lose_nothing(tmp_path: Path, models_dir: Path, site: str) -> None:
    appliance = Appliance(tmp_path / "data", models_dir)
    chance = random.Random(20261123)
    process = appliance.start()
    assert appliance.run("crawl", site, "--slug", "items").returncode == 0
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.05, 4))
        kill(process)
        assert_sound(appliance)
        process = appliance.start()
        if not appliance.rows("select 1 from jobs where status in ('queued', 'running')"):
            assert appliance.run("crawl", site, "--slug", "items").returncode == 0
    deadline = time.monotonic() + CRAWL_TIMEOUT_S
    while appliance.rows("select 1 from jobs where status in ('queued', 'running')"):
        assert time.monotonic() < deadline, "the crawl does not end"
        time.sleep(0.5)
    kill(process)
    assert_sound(appliance)
    jobs = appliance.rows("select status, progress from jobs where type = 'crawl'")
    assert {row["status"] for row in jobs} == {"succeeded"}
    for progress in (json.loads(row["progress"]) for row in jobs):
        assert (progress["indexed"], progress["failed"]) == (PAGES, 2)
    twice = appliance.rows("select page_id, position from chunks group by page_id, position having count(*) > 1")
    assert twice == []
    print(f"{KILLS} kills, {len(jobs)} crawls completed")
