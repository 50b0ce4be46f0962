"""The checks of `flowchat eval crawl` that crawl through the whole pipeline, with small sites."""

from pathlib import Path

import pytest

from flowchat.errors import FlowChatError
from flowchat.evaluation import bombs, recrawl, scale
from flowchat.evaluation.bomb_sites import BOMBS
from flowchat.evaluation.report import Measure, Options, Report

PAGES = 16
NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()


def options(folder: Path, pages: int = 0) -> Options:
    return Options(data=folder, sites=folder, cases=0, pages=pages)


def measure(report: Report, name: str) -> Measure:
    return next(measure for measure in report.measures if measure.name == name)


def write_site(folder: Path) -> None:
    folder.mkdir()
    links = "".join(f"<p><a href=page-{n}.html>page {n}</a></p>" for n in range(PAGES))
    (folder / "index.html").write_text(f"<html><head></head><main><h1>Start</h1>{links}</main></html>")
    for n, name in enumerate(NUMBERS):
        text = f"the page called {name} tells of {name} things, and all {name} of them matter to {name} people alone"
        (folder / f"page-{n}.html").write_text(f"<html><head></head><main><h1>{name}</h1><p>{text}.</p></main></html>")


def test_recrawls_find_exactly_what_has_changed(tmp_path: Path) -> None:
    write_site(tmp_path / "git-doc")
    report = recrawl.run(options(tmp_path))
    assert [measure for measure in report.measures if measure.ok is False] == []
    assert measure(report, "git-doc: edited: pages added, changed, removed").value == "1, 5, 1"
    assert measure(report, "git-doc: unchanged, without ETags: page bodies fetched").value == PAGES + 1


def test_without_a_site_recrawls_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FlowChatError) as caught:
        recrawl.run(options(tmp_path))
    assert caught.value.code == "no_test_data"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gzip page, 10 MB to 10 GB", "fetch_too_large 1"),
        ("redirects in a circle", "fetch_too_many_redirects 1"),
        ("billion laughs in a feed", "1 indexed"),
    ],
)
async def test_bombs_end_well(name: str, told: str) -> None:
    found = await bombs.measure(next(bomb for bomb in BOMBS if bomb.name == name))
    assert found.ok, found.value
    assert told in str(found.value)


def test_a_large_site_is_indexed_whole_and_embedded_once(tmp_path: Path) -> None:
    report = scale.run(options(tmp_path, pages=60))
    assert measure(report, "pages indexed, at first and again").value == "60, 60"
    assert measure(report, "unchanged: chunks embedded").value == 0
    assert measure(report, "unchanged: pages not fetched again").value == 60
