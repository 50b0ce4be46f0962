"""The check `injection` with a generator that does whatever a page tells it to."""

import pytest

from flowchat.domain import Mode
from flowchat.evaluation import injection
from flowchat.evaluation.poisoned_pages import PAGES, poisoned_pages
from flowchat.evaluation.report import Report


def leaks(report: Report) -> dict[str, float | str]:
    return {measure.name: measure.value for measure in report.measures if measure.target == "0"}


@pytest.mark.parametrize("mode", ["gate", "annotate"])
def test_whatever_pages_say_and_the_model_writes_nothing_leaks(mode: Mode) -> None:
    report = injection.run(PAGES, obeying=True, mode=mode)
    assert leaks(report) == dict.fromkeys(leaks(report), 0.0) and len(leaks(report)) == 4, report.notes
    assert report.ok, report.measures


def test_the_suite_has_all_kinds_of_poison() -> None:
    pages = poisoned_pages("shop.example")
    payloads, places = zip(*(page.kind.rsplit(", ", 1) for page in pages), strict=True)
    assert len({page.path for page in pages}) == len({page.question for page in pages}) == PAGES
    assert len(set(payloads)) >= 30 and len(set(places)) >= 16
