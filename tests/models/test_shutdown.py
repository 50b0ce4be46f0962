"""A small one of `flowchat eval shutdown`; releases are tried with 200 streams. And SIGTERM before it serves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowchat.evaluation.shutdown import run

pytestmark = [pytest.mark.models, pytest.mark.slow]


def test_it_ends_in_time_and_tells_its_clients() -> None:
    report = run(streams=20, times=1)
    assert [measure for measure in report.measures if measure.ok is False] == []


def test_it_ends_while_it_starts(tmp_path: Path, models_dir: Path) -> None:
    told = {"FLOWCHAT_DATA_DIR": str(tmp_path), "FLOWCHAT_MODELS_DIR": str(models_dir), "FLOWCHAT_PORT": "0"}
    command = [sys.executable, "-u", "-m", "flowchat", "serve"]
    with subprocess.Popen(command, env={**os.environ, **told}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and "┌" in process.stdout.readline()  # the first thing it tells is its key
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert (process.returncode, "ready" in rest) == (0, False)
