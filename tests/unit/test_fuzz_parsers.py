"""A little of `flowchat eval crawl --only fuzz`: nothing that a site sends may raise."""

from pathlib import Path

from flowchat.evaluation import fuzz
from flowchat.evaluation.report import Options


def test_malformed_input_never_raises(test_data: Path) -> None:
    report = fuzz.run(Options(data=test_data, sites=Path(), cases=500, pages=0))
    assert report.ok, report.notes
    assert report.measures[0].value == 500


def test_a_case_is_the_same_in_every_run(test_data: Path) -> None:
    seen: list[bytes] = []
    target = fuzz._Target("any", lambda _, body: seen.append(body), [b"User-agent: *\nDisallow: /"])
    for number in (7, 8, 7):
        assert fuzz._try(target, number, [b"other"])[0] is None
    assert seen[0] == seen[2] != seen[1]


def test_an_exception_is_reported_with_its_case() -> None:
    def fail(_dice: object, _body: bytes) -> None:
        raise RecursionError("too deep")

    error, _ = fuzz._try(fuzz._Target("any", fail, [b"a"]), 3, [b"b"])
    assert isinstance(error, RecursionError)
    report = fuzz._report(1, {"any": fuzz._Tally(cases=1, taken_s=1.0)}, ["case 3, any: RecursionError: too deep"])
    assert not report.ok
    assert "case 3, any: RecursionError: too deep" in report.notes
