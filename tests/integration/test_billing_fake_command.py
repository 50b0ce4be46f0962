"""`flowchat billing fake`, as an operator starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process, and the five lines that it prints."""
    command = [sys.executable, "-m", "flowchat", "billing", "fake", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stderr
    try:
        yield process, [process.stdout.readline().strip() for _ in range(5)]
    finally:
        process.kill()
        process.communicate()


def test_it_says_what_to_set_and_ends_when_it_is_told() -> None:
    with started("--port", "0", "--webhook-url", "") as (process, lines):
        url = lines[0].removeprefix("ready ")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        assert lines[2:4] == ["FLOWCHAT_STRIPE_API_KEY=sk_test_fake", f"FLOWCHAT_STRIPE_API_BASE={url}"]
        assert re.fullmatch(r"FLOWCHAT_STRIPE_WEBHOOK_SECRET=whsec_\w{32}", lines[4])
        assert "There is none yet" in httpx.get(url, trust_env=False).text
        assert httpx.get(f"{url}/_fake/state", trust_env=False).json()["objects"].keys() == {"configuration"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert process.stderr and process.stderr.read() == ""


def test_a_secret_may_be_chosen() -> None:
    with started("--port", "0", "--webhook-secret", "whsec_mine") as (_, lines):
        assert lines[4] == "FLOWCHAT_STRIPE_WEBHOOK_SECRET=whsec_mine"
        state = httpx.get(f"{lines[0].removeprefix('ready ')}/_fake/state", trust_env=False).json()
        assert [each["url"] for each in state["objects"]["webhook_endpoint"]] == [
            "http://127.0.0.1:8080/v1/stripe/events"
        ]


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "flowchat", "billing", "fake", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 1
    assert done.stderr.startswith(f"flowchat: Nothing can listen on 127.0.0.1:{port}") and done.stderr.count("\n") == 1
