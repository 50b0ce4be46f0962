"""`flowchat eval`: measures against public test data, side by side with other tools where they are installed."""

from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click

from flowchat.cli.options import json_option, print_json
from flowchat.errors import FlowChatError
from flowchat.evaluation.report import Measure, Options, Report

CRAWL = ("robots", "urls", "fuzz", "ssrf", "bombs", "sites", "recrawl", "scale")
EXTRACT = ("extraction", "structure")
data_option = click.option(
    "--data",
    envvar="FLOWCHAT_TEST_DATA",
    type=click.Path(path_type=Path),
    default=Path("../shared/corpora"),
    show_default=True,
    help="Folder of the test data; also FLOWCHAT_TEST_DATA.",
)


@click.group("eval")
def evaluate() -> None:
    """Measure the crawler and the extraction. Fails where a target is missed."""


@evaluate.command()
@click.option("--only", multiple=True, type=click.Choice(CRAWL), help="This check alone; may be repeated.")
@click.option("--cases", default=100_000, show_default=True, help="Malformed inputs of the check 'fuzz'.")
@click.option("--pages", default=20_000, show_default=True, help="Pages of the site that the check 'scale' makes.")
@click.option(
    "--sites",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/usr/share/doc"),
    show_default=True,
    help="Folder with the documentation of Debian's packages, for the checks 'sites' and 'recrawl'.",
)
@data_option
@json_option
def crawl(only: Sequence[str], cases: int, pages: int, sites: Path, data: Path, as_json: bool) -> None:
    """Robots, addresses, malformed input, forbidden addresses, bombs, real sites, recrawls and a large site."""
    _run(only or CRAWL, Options(data, sites, cases, pages), as_json)


@evaluate.command()
@click.option("--only", multiple=True, type=click.Choice(EXTRACT), help="This check alone; may be repeated.")
@data_option
@json_option
def extract(only: Sequence[str], data: Path, as_json: bool) -> None:
    """The main content of real pages, and the structure of pages whose structure is known."""
    _run(only or EXTRACT, Options(data, Path(), 0, 0), as_json)


def _run(checks: Sequence[str], options: Options, as_json: bool) -> None:
    reports = []
    for name in checks:
        report: Report = import_module(f"flowchat.evaluation.{name}").run(options)
        reports.append(report)
        if not as_json:
            _print(report)
    if as_json:
        print_json([asdict(report) | {"ok": report.ok} for report in reports])
    missed = [report.title for report in reports if not report.ok]
    if missed:
        raise FlowChatError("target_missed", f"Missed its target: {', '.join(missed)}.")


def _print(report: Report) -> None:
    click.echo(f"\n{report.title}")
    width = max((len(measure.name) for measure in report.measures), default=0)
    for measure in report.measures:
        click.echo(f"  {measure.name:<{width}}  {_shown(measure)}")
    for note in report.notes:
        click.echo(f"  - {note}")


def _shown(measure: Measure) -> str:
    value = f"{measure.value:.4g}" if isinstance(measure.value, float) else str(measure.value)
    verdict = {True: "ok", False: "MISSED", None: ""}[measure.ok]
    target = f"(target {measure.target})" if measure.target else ""
    return "  ".join(part for part in (f"{value:>12}", target, verdict) if part)
