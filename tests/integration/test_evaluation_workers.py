"""`flowchat eval workers` on a small scale, with fake models."""

import sys
from pathlib import Path

import pytest
from processes import environ_of

from flowchat.evaluation import workers

TESTS = Path(__file__).resolve().parents[1]
COMMANDS = workers.Commands(
    (sys.executable, str(TESTS / "serve_fakes.py")), (sys.executable, str(TESTS / "work_fakes.py"))
)


@pytest.mark.slow
def test_what_crawls_do_to_those_who_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environ_of(tmp_path).items():
        monkeypatch.setenv(variable, value)
    report = workers.run(workers.Amounts(questions=2, seconds=0.5, wake_ups=1, idle_s=0.1), COMMANDS)
    measured = {measure.name: float(measure.value) for measure in report.measures}
    assert measured["two workers / one"] > 0
    assert measured["a worker process crawls: not answered"] == 0
    assert measured["a job waits for an idle worker, woken by the file, max, ms"] > 0
