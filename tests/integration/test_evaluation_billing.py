"""A small one of `flowchat eval billing`; releases are tried with 10,000 chats, 5,000 pages and 200 kills.

FLOWCHAT_TEST_BILLING_KILLS sets how many (10 by default).
"""

import os

import pytest

from flowchat.evaluation.billing import Amounts, run

KILLS = int(os.environ.get("FLOWCHAT_TEST_BILLING_KILLS", "10"))


@pytest.mark.slow
def test_to_the_unit_and_nothing_twice() -> None:
    report = run(Amounts(chats=30 * KILLS, pages=15 * KILLS, faults=0.3, kills=KILLS))
    missed = [measure for measure in report.measures if measure.ok is False]
    assert missed == []
    measured = {measure.name: measure.value for measure in report.measures}
    assert measured["processes killed"] >= KILLS  # type: ignore[operator]
    assert measured["killed and failing: queries reported"] == 30 * KILLS
    assert measured["killed and failing: pages reported"] == 15 * KILLS
