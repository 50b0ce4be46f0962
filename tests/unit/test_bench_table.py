"""The bench's table, and its place in the README."""

from pathlib import Path

import pytest

from flowchat.errors import FlowChatError
from flowchat.evaluation.bench.row import Row, rates
from flowchat.evaluation.bench.table import table, write

ROWS = [Row("embedding", "chunks/s", 30.0, "fastembed", 20.0), Row("start", "s", 4.5, "", 0)]


def test_a_row_has_both_figures_and_their_ratio() -> None:
    assert table(ROWS).splitlines()[2:] == [
        "| embedding | 30 chunks/s | fastembed: 20 | 1.50 |",
        "| start | 4.5 s |  |  |",
    ]


def test_the_table_takes_the_place_of_the_former(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    for _ in range(2):
        write(readme, ROWS)
    assert readme.read_text() == f"before\n<!-- bench -->\n\n{table(ROWS)}\n<!-- /bench -->\nafter\n"


def test_a_file_without_a_place_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing here")
    with pytest.raises(FlowChatError, match="has no lines <!-- bench -->"):
        write(readme, ROWS)


def test_works_are_measured_in_turn() -> None:
    done: list[str] = []
    measured = rates(10, {"one": lambda: done.append("1"), "other": lambda: done.append("2")}, rounds=2)
    assert done == ["1", "2"] * 3 and set(measured) == {"one", "other"}
    assert all(rate > 0 for rate in measured.values())


def test_the_readme_has_a_place() -> None:
    assert "<!-- bench -->\n" in Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
