"""A small one of `flowchat eval backup`; releases are tried with 50 restores and 1 GB.

FLOWCHAT_TEST_RESTORES sets how many (3 by default).
"""

import os

import pytest

from flowchat.evaluation.backup import Amounts, run

RESTORES = int(os.environ.get("FLOWCHAT_TEST_RESTORES", "3"))


@pytest.mark.slow
def test_nothing_acknowledged_is_missing() -> None:
    report = run(Amounts(restores=RESTORES, gigabytes=0.005, quiet_s=0.5))
    assert [measure for measure in report.measures if measure.ok is False] == []
    measured = {measure.name: measure.value for measure in report.measures}
    assert measured["backups restored under load"] == RESTORES
    assert float(measured["large database, GB"]) >= 0.005
