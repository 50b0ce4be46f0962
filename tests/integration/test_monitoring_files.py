"""The Grafana board and the alert rules speak of figures that /metrics has."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from appliance import operator, running

import flowchat
from flowchat.services import scraping

FOLDER = Path(flowchat.__file__).parent / "assets" / "operating"
NAME = re.compile(r"\b(?:flowchat|process)_\w+")
SCHEMA = 39  # of Grafana 11; newer ones migrate it
GRID = 24


def board() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    return loaded


def board_expressions() -> list[str]:
    return [target["expr"] for panel in board()["panels"] for target in panel.get("targets", ())]


def rule_expressions() -> list[str]:
    """Those of the rules, without a parser of YAML: from `expr:` to the next field."""
    text = (FOLDER / "prometheus-rules.yml").read_text(encoding="utf-8")
    return re.findall(r"expr: (?:>-)?(.*?)\n {8}\w+:", text, flags=re.DOTALL)


async def names(folder: Path) -> dict[str, str]:
    """{name as it stands in a query: the metric's type}"""
    async with running(folder) as app:
        await scraping.look_closely(app)
        text = (await scraping.scrape(app, await operator(app))).decode()
    found = {}
    for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", text, flags=re.MULTILINE):
        parts = [f"{name}_bucket", f"{name}_sum", f"{name}_count"] if kind == "histogram" else [name]
        found |= dict.fromkeys(parts, kind)
    return found


@pytest.mark.parametrize("expressions", [board_expressions, rule_expressions])
async def test_every_figure_exists(tmp_path: Path, expressions: Any) -> None:
    known, asked = await names(tmp_path), expressions()
    assert len(asked) > 10
    for expression in asked:
        used = NAME.findall(expression)
        assert used or "up{" in expression, expression
        assert set(used) <= set(known), expression


async def test_only_counters_are_rated(tmp_path: Path) -> None:
    known = await names(tmp_path)
    for expression in board_expressions() + rule_expressions():
        for name in re.findall(r"(?:rate|increase)\((\w+)", expression):
            assert known[name] in ("counter", "histogram"), expression


async def test_every_figure_of_ours_is_on_the_board(tmp_path: Path) -> None:
    shown = {name for expression in board_expressions() for name in NAME.findall(expression)}
    bases = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    ours = {re.sub("_(bucket|sum|count)$", "", name) for name in await names(tmp_path) if name.startswith("flowchat_")}
    assert {name for name in ours - bases if not name.endswith("_created")} == set()


def test_the_board_is_of_its_schema() -> None:
    told = board()
    assert told["schemaVersion"] == SCHEMA and told["title"] and told["uid"]
    assert len({panel["id"] for panel in told["panels"]}) == len(told["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in told["panels"]:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken and all(x < GRID for x, _ in cells), panel["title"]
        taken |= cells
        assert panel["type"] in ("row", "timeseries", "stat") and panel["title"]
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
    assert {variable["name"] for variable in told["templating"]["list"]} == {"source", "job"}
    variables = {name for expression in board_expressions() for name in re.findall(r"\$(\w+)", expression)}
    assert variables <= {"job", "__rate_interval"}


def test_prometheus_takes_all_of_it(tmp_path: Path) -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("no promtool on PATH: apt-get install prometheus")
    for name in ("prometheus.yml", "prometheus-rules.yml"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "flowchat.key").touch()
    expressions = [text.replace("$__rate_interval", "5m").replace("$job", "x") for text in board_expressions()]
    rules = [{"record": f"board:{number}", "expr": text} for number, text in enumerate(expressions)]
    (tmp_path / "board.yml").write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    for command in (["config", "prometheus.yml"], ["rules", "board.yml"]):
        done = subprocess.run([promtool, "check", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
