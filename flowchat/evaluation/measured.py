"""A crawl in a process of its own, whose memory is measured: `python -m flowchat.evaluation.measured URL OPTIONS`.

It prints JSON. Memory is what Linux says of the process in /proc/self/status.
"""

import asyncio
import json
import re
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flowchat.domain import Job
from flowchat.errors import FlowChatError
from flowchat.evaluation import appliance
from flowchat.services.context import Appliance
from flowchat.store import jobs

LOOK_S = 0.1
STOP_S = 10.0
_UNEXPECTED = "An unexpected error"  # how the worker tells of one that is in the log
_STATUS = Path("/proc/self/status")
_KILOBYTES = re.compile(r"(VmRSS|VmHWM):\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Asked:
    """`settings` are those of the appliance. `step`: of how many pages one mark is made; 0: no marks."""

    settings: dict[str, Any] = field(default_factory=dict)
    dims: int = appliance.DIMS
    recrawls: int = 0
    step: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """How things stood when so many pages were done. `cpu_s`: of all its threads, since the process began."""

    pages: int
    seconds: float
    cpu_s: float
    memory_mb: float
    wal_mb: float


@dataclass(frozen=True, slots=True)
class Crawled:
    """One job. `growth_mb`: of the process's memory at its peak, over what it was before the first crawl."""

    status: str
    error: str
    seconds: float
    indexed: int
    embedded: int
    unchanged: int
    reasons: dict[str, int]
    growth_mb: float
    database_mb: float
    marks: list[Mark]


async def crawl_apart(url: str, asked: Asked, timeout_s: float) -> list[Crawled]:
    """What the crawls of a site came to. Raises FlowChatError `crawl_stuck` or `crawl_died`, with the log's end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flowchat.evaluation.measured", url, json.dumps(asdict(asked))),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        told, log = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        raise FlowChatError("crawl_stuck", f"The crawl had not ended after {timeout_s:g} s.") from None
    finally:
        await _stop(process)
    crawls = [] if process.returncode else [_parsed(crawled) for crawled in json.loads(told)]
    if not crawls or any(crawled.error.startswith(_UNEXPECTED) for crawled in crawls):
        ending = log.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise FlowChatError("crawl_died", f"The crawl died: {ending[:200]}")
    return crawls


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Let it remove its folder first, if it still can."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _parsed(crawled: dict[str, Any]) -> Crawled:
    return Crawled(**{**crawled, "marks": [Mark(**mark) for mark in crawled["marks"]]})


async def _crawl(url: str, asked: Asked) -> list[Crawled]:
    async with appliance.temporary_appliance(asked.dims, **asked.settings) as app:
        before_mb = memory_mb("VmRSS")
        source, job = await appliance.new_source(app, url)
        crawls = [await _measure(app, job, asked.step, before_mb)]
        for _ in range(asked.recrawls):
            job = await appliance.another_crawl(app, source)
            crawls.append(await _measure(app, job, asked.step, before_mb))
        return crawls


async def _measure(app: Appliance, job: Job, step: int, before_mb: float) -> Crawled:
    began = time.perf_counter()
    work = asyncio.create_task(appliance.done(app, job))
    marks = await _marks(app, job, work, step, began) if step else []
    job = await work
    seconds = time.perf_counter() - began
    progress = job.progress
    return Crawled(
        job.status,
        job.error or "",
        seconds,
        progress.indexed,
        progress.embedded,
        progress.unchanged,
        {reason: count for counts in progress.reasons.values() for reason, count in counts.items()},
        memory_mb("VmHWM") - before_mb,
        app.settings.database_path.stat().st_size / 1e6,
        marks,
    )


async def _marks(app: Appliance, job: Job, work: asyncio.Task[Job], step: int, began: float) -> list[Mark]:
    """One at the beginning, and one each time that so many pages more are done."""
    wal = app.settings.database_path.with_name(app.settings.database_path.name + "-wal")
    marks: list[Mark] = []
    is_done = False
    while not is_done:
        is_done = work.done()
        present = await jobs.get(app.db, job.id)
        pages = present.progress.done if present else 0
        if not marks or pages >= marks[-1].pages + step:
            wal_mb = wal.stat().st_size / 1e6 if wal.exists() else 0.0
            seconds = time.perf_counter() - began
            marks.append(Mark(pages, seconds, time.process_time(), memory_mb("VmRSS"), wal_mb))
        await asyncio.wait({work}, timeout=LOOK_S)
    return marks


def memory_mb(of: str) -> float:
    """This process's memory in MB: VmRSS is the present one, VmHWM its peak. Raises FlowChatError without /proc."""
    if not _STATUS.exists():
        raise FlowChatError("no_proc", "Memory is measured by /proc/self/status, which only Linux has.")
    return {name: int(kilobytes) for name, kilobytes in _KILOBYTES.findall(_STATUS.read_text())}[of] * 1024 / 1e6


if __name__ == "__main__":
    crawls = asyncio.run(_crawl(sys.argv[1], Asked(**json.loads(sys.argv[2]))))
    print(json.dumps([asdict(crawled) for crawled in crawls]))
