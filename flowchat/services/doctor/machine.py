"""Is the machine good enough?"""

from collections.abc import Iterable

from flowchat.engines.registry import find_model
from flowchat.errors import ModelError
from flowchat.services.doctor.findings import Facts, Finding, megabytes, ok, problem, warning
from flowchat.services.models import needed

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 51, 3)  # before it, WAL can corrupt a database
BESIDES_MODELS_BYTES = 500_000_000
MODELS_FACTOR = 1.3  # of their files, once loaded
FEWEST_FILES, FEW_FILES = 1024, 4096


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def python(facts: Facts) -> Iterable[Finding]:
    version = facts.machine.python
    if _numbers(version)[:2] < OLDEST_PYTHON:
        yield problem(f"Python {version} is too old.", "Install Python 3.11 or newer.")
    elif facts.machine.architecture != "x86_64":
        told = f"Python {version} on {facts.machine.architecture}, which FlowChat does not support."
        yield problem(told, "Use an x86-64 machine: some packages are made for no other.")
    else:
        yield ok(f"Python {version}")


def sqlite(facts: Facts) -> Iterable[Finding]:
    version = facts.machine.sqlite
    if _numbers(version) < OLDEST_SQLITE:
        told = f"SQLite {version} has a bug that can corrupt databases."
        yield problem(told, "Install FlowChat's locked packages: pysqlite3 brings a good one.")
    else:
        yield ok(f"SQLite {version}")


def processor(facts: Facts) -> Iterable[Finding]:
    machine = facts.machine
    if machine.cpu_flags and "avx2" not in machine.cpu_flags:
        told = "The processor has no AVX2: models are several times slower, or don't start."
        yield warning(told, "Use a newer machine; with virtual ones, let them see the host's processor.")
    elif machine.cores < 2:
        told = "One core: answers wait for crawls, and come late."
        yield warning(told, "Use two cores or more, or FLOWCHAT_GENERATOR=extractive.")
    else:
        yield ok(f"{machine.cores} cores" + (", AVX2" if machine.cpu_flags else ""))


def memory(facts: Facts) -> Iterable[Finding]:
    have, want = facts.machine.memory_bytes, _memory_wanted(facts)
    told = f"{megabytes(have)}; FlowChat with these models takes about {megabytes(want)}"
    if have < want:
        yield problem(f"{told}.", "Use a machine (or a limit) with more memory, or FLOWCHAT_GENERATOR=extractive.")
    elif have < 1.2 * want:
        yield warning(f"{told}.", "Leave it more, or watch it: large pages and uploads take some, too.")
    else:
        yield ok(told)


def _memory_wanted(facts: Facts) -> float:
    try:
        models = needed(facts.settings)
    except ModelError:  # the check of the models tells that
        models = [find_model("bge-small-en-v1_5-int8")]
    return BESIDES_MODELS_BYTES + MODELS_FACTOR * sum(model.bytes for model in models)


def clock(facts: Facts) -> Iterable[Finding]:
    match facts.machine.is_clock_synchronised:
        case True:
            yield ok("synchronised")
        case False:
            told = "The clock is not synchronised: signatures of webhooks and reported usage go by it."
            yield warning(told, "Run a time service on the machine: systemd-timesyncd or chrony.")
        case None:
            yield ok("can't be looked at from here")


def open_files(facts: Facts) -> Iterable[Finding]:
    limit = facts.machine.open_files
    todo = "Raise the limit of open files: LimitNOFILE in the unit, ulimits in a container."
    if 0 <= limit < FEWEST_FILES:
        yield problem(f"Only {limit} files and connections may be open.", todo)
    elif 0 <= limit < FEW_FILES:
        yield warning(f"{limit} files and connections may be open: each visitor who reads has one.", todo)
    else:
        yield ok("no limit" if limit < 0 else f"up to {limit}")
