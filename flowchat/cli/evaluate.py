"""`flowchat eval`: measures against test data, public or your own, beside other tools where they are installed."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click

from flowchat.cli.options import json_option, print_json
from flowchat.errors import FlowChatError
from flowchat.evaluation.report import Measure, Options, Report

CRAWL = ("robots", "urls", "fuzz", "ssrf", "bombs", "sites", "recrawl", "scale")
BENCH = ("serving", "models", "pages")
EXTRACT = ("extraction", "structure")
FAULTS = ("kills", "writes", "disk", "power", "clock")
WORKS = ("crawl", "index", "chat", "webhook", "billing")
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
    """Measure crawler, extraction, retrieval, verifier, answers, faults and widget. Fails where a target is missed."""


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


@evaluate.command()
@click.option(
    "--questions", type=click.Path(path_type=Path, dir_okay=False), required=True, help="JSONL; see the docs."
)
@click.option("--source", "sources", multiple=True, metavar="SLUG", help="Ask only this source.  [default: all]")
@click.option("--url", default="", help="An appliance elsewhere.  [default: the one of the data folder]")
@click.option("--key", default="", envvar="FLOWCHAT_KEY", help="A key of that appliance; also FLOWCHAT_KEY.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write every answer here, as JSONL.")
@click.option("--min-correct", default=0.85, show_default=True, help="Least share of right answers.")
@click.option("--min-cited", default=0.85, show_default=True, help="Least share that cites a right page.")
@click.option("--min-refused", default=0.95, show_default=True, help="Least share of refusals where they are right.")
@click.option("--min-truthful", default=0.88, show_default=True, help="Least share of all that is right.")
@json_option
def answers(
    questions: Path,
    sources: tuple[str, ...],
    url: str,
    key: str,
    out: Path | None,
    min_correct: float,
    min_cited: float,
    min_refused: float,
    min_truthful: float,
    as_json: bool,
) -> None:
    """Questions of your own, asked of your source: correct, cited, refused."""
    from flowchat.evaluation import answers as check

    targets = check.Targets(min_correct, min_cited, min_refused, min_truthful)
    _show([check.run(questions, sources, targets, url=url, key=key, out=out)], as_json)


@evaluate.command()
@click.option(
    "--questions", type=click.Path(path_type=Path, dir_okay=False), required=True, help="JSONL; see the docs."
)
@click.option("--source", "sources", multiple=True, metavar="SLUG", help="Ask only this source.  [default: all]")
@click.option("--url", default="", help="An appliance elsewhere.  [default: a copy of the data folder's]")
@click.option("--key", default="", envvar="FLOWCHAT_KEY", help="A key of that appliance; also FLOWCHAT_KEY.")
@click.option("--some", default=20, show_default=True, help="So many of the questions, from all over the file.")
@click.option("--at-once", default=4, show_default=True, help="Clients that ask at the same time.")
@click.option("--overload", default=10.0, show_default=True, help="Times what the machine can answer. 0: leave it out.")
@click.option("--seconds", default=60.0, show_default=True, help="How long the overload lasts.")
@click.option("--max-first-text", default=1.5, show_default=True, help="Most seconds to the first text (median).")
@click.option("--max-done", default=4.0, show_default=True, help="Most seconds to an answer's end (median).")
@click.option("--min-per-minute", default=15.0, show_default=True, help="Least answers a minute.")
@click.option("--max-repeated", default=50.0, show_default=True, help="Most ms to a repeated answer (median).")
@click.option("--max-slowdown", default=2.0, show_default=True, help="Most of first texts under overload (p99).")
@click.option("--max-busy", default=200.0, show_default=True, help="Most ms until a question is turned away (p99).")
@click.option("--max-lag", default=50.0, show_default=True, help="Most ms that the event loop is late (p99).")
@click.option("--min-speed", default=0.9, show_default=True, help="Least of llama.cpp's own server's tokens/s.")
@json_option
def latency(
    questions: Path,
    sources: tuple[str, ...],
    url: str,
    key: str,
    some: int,
    at_once: int,
    overload: float,
    seconds: float,
    max_first_text: float,
    max_done: float,
    min_per_minute: float,
    max_repeated: float,
    max_slowdown: float,
    max_busy: float,
    max_lag: float,
    min_speed: float,
    as_json: bool,
) -> None:
    """How soon answers come: one at a time, several at once, asked again, and under overload."""
    from flowchat.evaluation import latency as check

    amounts = check.Amounts(some, at_once, overload, seconds)
    targets = check.Targets(
        first_text_s=max_first_text,
        done_s=max_done,
        per_minute=min_per_minute,
        repeated_ms=max_repeated,
        slowdown=max_slowdown,
        busy_ms=max_busy,
        lag_ms=max_lag,
        speed=min_speed,
    )
    _show([check.run(questions, sources, amounts, targets, url=url, key=key)], as_json)


@evaluate.command()
@click.option(
    "--questions", type=click.Path(path_type=Path, dir_okay=False), help="JSONL; see the docs.  [default: in --data]"
)
@click.option(
    "--sections", type=click.Path(path_type=Path, dir_okay=False), help="JSONL of what to search.  [default: in --data]"
)
@click.option("--source", metavar="SLUG", help="Search this source of the data folder instead.")
@click.option("--min-recall", default=0.72, show_default=True, help="Least recall@3 of what is reranked. 0: any.")
@click.option("--min-mrr", default=0.88, show_default=True, help="Least MRR of what is reranked. 0: any.")
@data_option
@json_option
def retrieval(
    questions: Path | None,
    sections: Path | None,
    source: str | None,
    min_recall: float,
    min_mrr: float,
    data: Path,
    as_json: bool,
) -> None:
    """Where the right sections or pages stand, for each stage of the search. FlowChat must not be running."""
    from flowchat.evaluation import retrieval as check

    if source is None:
        sections = sections or data / check.SECTIONS
    elif sections is not None:
        raise click.UsageError("Either --source or --sections.")
    elif questions is None:
        raise click.UsageError("--source needs --questions.")
    targets = check.Targets(min_recall, min_mrr)
    _show([check.run(questions or data / check.QUESTIONS, targets, sections=sections, source=source)], as_json)


@evaluate.command()
@click.option(
    "--pairs",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSONL or .jsonl.gz; see the docs. May be repeated.  [default: those in and beside --data]",
)
@click.option("--limit", default=400, show_default=True, help="Most pairs of a file.")
@click.option("--min-accuracy", default=0.8, show_default=True, help="Least balanced accuracy. 0: any.")
@click.option("--min-recall", default=0.0, show_default=True, help="Least share of what is true. 0: any.")
@click.option("--max-false-support", default=0.05, show_default=True, help="Most of what is not true. 1: any.")
@data_option
@json_option
def verifier(
    files: tuple[Path, ...],
    limit: int,
    min_accuracy: float,
    min_recall: float,
    max_false_support: float,
    data: Path,
    as_json: bool,
) -> None:
    """Pairs of passages and claims: is what follows accepted, and the rest not? Beside two simpler ways."""
    from flowchat import settings
    from flowchat.evaluation import verifier as check

    targets = check.Targets(min_accuracy, min_recall, max_false_support)
    _show(check.run(files or check.default_files(data), limit, settings.load(), targets), as_json)


@evaluate.command()
@click.option("--pages", default=144, show_default=True, help="Poisoned pages, each with its question.")
@click.option("--obeying", is_flag=True, help="Without models, and with a generator that obeys every page.")
@click.option("--min-right", default=0.8, show_default=True, help="Least share of right answers beside the poison.")
@json_option
def injection(pages: int, obeying: bool, min_right: float, as_json: bool) -> None:
    """Poisoned pages, uploads and questions: nothing of the poison, the prompt or other sources may show."""
    from flowchat.evaluation import injection as check

    _show([check.run(pages, min_right, obeying=obeying)], as_json)


@evaluate.command()
@click.option("--chats", default=10_000, show_default=True, help="Billable answers.")
@click.option("--pages", default=5_000, show_default=True, help="Billable pages.")
@click.option("--faults", default=0.3, show_default=True, type=click.FloatRange(0, 1), help="Share of calls that fail.")
@click.option("--kills", default=200, show_default=True, help="Times that what bills is killed.")
@json_option
def billing(chats: int, pages: int, faults: float, kills: int, as_json: bool) -> None:
    """Usage reported to a fake of Stripe that fails, by a process that is killed: to the unit, and none of it twice."""
    from flowchat.evaluation import billing as check

    _show([check.run(check.Amounts(chats, pages, faults, kills))], as_json)


@evaluate.command()
@click.option("--idle", default=2000, show_default=True, help="Readers of a stream in which nothing happens.")
@click.option("--stalled", default=200, show_default=True, help="Readers that read nothing.")
@click.option("--abort", default=10_000, show_default=True, help="Times that somebody connects and vanishes.")
@click.option("--slow-heads", default=1000, show_default=True, help="Requests whose head comes a byte a second.")
@click.option("--slow-bodies", default=200, show_default=True, help="Questions that come a byte a second.")
@click.option("--large", default=500, show_default=True, help="Bodies of 4 MB without a credential, at once.")
@click.option("--seconds", default=45.0, show_default=True, help="How long visitors are timed beside each attack.")
@click.option("--max-memory", default=150.0, show_default=True, help="Most MB that an attack takes.")
@click.option("--max-slowdown", default=3.0, show_default=True, help="Most times that visitors' p95 may grow.")
@click.option("--max-lag", default=100.0, show_default=True, help="Most ms that the event loop is late (p99).")
@json_option
def attack(
    idle: int,
    stalled: int,
    abort: int,
    slow_heads: int,
    slow_bodies: int,
    large: int,
    seconds: float,
    max_memory: float,
    max_slowdown: float,
    max_lag: float,
    as_json: bool,
) -> None:
    """Crowds of idle, stalled, slow, vanishing and greedy clients, and what visitors notice of them meanwhile."""
    from flowchat.evaluation import attack as check

    amounts = check.Amounts(idle, stalled, abort, slow_heads, slow_bodies, large, seconds)
    _show([check.run(amounts, check.Targets(max_memory, max_slowdown, max_lag))], as_json)


@evaluate.command()
@click.option("--only", multiple=True, type=click.Choice(FAULTS), help="This fault alone; may be repeated.")
@click.option("--work", "works", multiple=True, type=click.Choice(WORKS), help="This work alone; may be repeated.")
@click.option("--kills", default=200, show_default=True, help="SIGKILLs at random moments, for each kind of work.")
@click.option("--writes", default=40, show_default=True, help="SIGKILLs at the Nth write or sync; needs strace.")
@click.option("--disk", default=20, show_default=True, help="Times that the disk is full; needs root.")
@click.option("--power", default=200, show_default=True, help="Times that the power fails; needs strace.")
@click.option("--clock", default=2, show_default=True, help="Times that the clock goes wrong; needs faketime.")
@json_option
def faults(
    only: Sequence[str],
    works: Sequence[str],
    kills: int,
    writes: int,
    disk: int,
    power: int,
    clock: int,
    as_json: bool,
) -> None:
    """Kills, full disks, power failures and wrong clocks, while it crawls, indexes, chats, delivers and bills."""
    from flowchat.evaluation.faults import suite

    _show(suite.run(only or FAULTS, works or WORKS, suite.Amounts(kills, writes, disk, power, clock)), as_json)


@evaluate.command()
@click.option("--questions", default=12, show_default=True, type=click.IntRange(1, 12), help="Asked each time.")
@click.option("--seconds", default=15.0, show_default=True, help="How long each crawl is watched.")
@click.option("--wake-ups", default=10, show_default=True, help="Small jobs that an idle worker is woken for.")
@json_option
def workers(questions: int, seconds: float, wake_ups: int, as_json: bool) -> None:
    """Answers during a crawl, by the server and by `flowchat worker`; speed with one and two of those."""
    from flowchat.evaluation import workers as check

    _show([check.run(check.Amounts(questions, seconds, wake_ups))], as_json)


@evaluate.command()
@click.option("--minutes", default=90.0, show_default=True, type=click.FloatRange(min=0.5), help="How long.")
@click.option("--questions-per-minute", default=12.0, show_default=True, help="As far as the machine can answer them.")
@click.option("--crawl-every", default=300.0, show_default=True, help="Seconds from one crawl to the next.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write all samples here, as JSONL.")
@json_option
def soak(minutes: float, questions_per_minute: float, crawl_every: float, out: Path | None, as_json: bool) -> None:
    """Questions, crawls, webhooks and billing at once, for long: does the last quarter need what the first did?"""
    from flowchat.evaluation import soak as check

    _show([check.run(check.Amounts(minutes, questions_per_minute, crawl_every), out)], as_json)


@evaluate.command()
@click.option("--part", "parts", multiple=True, type=click.Choice(BENCH), help="This part alone; may be repeated.")
@click.option("--write", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Write the table there.")
def bench(parts: Sequence[str], write: Path | None) -> None:
    """How quick FlowChat is, each figure beside a reference in the same run."""
    from flowchat.evaluation import bench as benchmarks

    rows = benchmarks.run(parts or BENCH)
    click.echo(benchmarks.table(rows), nl=False)
    if write is not None:
        benchmarks.write(write, rows)


@evaluate.command("widget-size")
@json_option
def widget_size(as_json: bool) -> None:
    """The bytes of /v1.js with gzip, beside other chats from npm where that is installed."""
    from flowchat.evaluation import widget_size as check

    _show([check.run()], as_json)


def _run(checks: Sequence[str], options: Options, as_json: bool) -> None:
    _show((import_module(f"flowchat.evaluation.{name}").run(options) for name in checks), as_json)


def _show(made: Iterable[Report], as_json: bool) -> None:
    reports = []
    for report in made:
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
