"""Websites that are bombs: crawled with bounded memory in bounded time, by a job that ends as it should.

Each is crawled through the whole pipeline by a process of its own.
"""

import asyncio

from flowchat.errors import FlowChatError
from flowchat.evaluation import appliance
from flowchat.evaluation.bomb_sites import BOMBS, Bomb
from flowchat.evaluation.local_site import local_site
from flowchat.evaluation.measured import Asked, Crawled, crawl_apart
from flowchat.evaluation.report import Measure, Options, Report

MAX_GROWTH_MB = 300
GRACE_S = 60.0  # beyond that it is stopped


def run(options: Options) -> Report:
    measures = tuple(asyncio.run(measure(bomb)) for bomb in BOMBS)
    notes = (
        "Told: how the job ended, after how many seconds, the growth of the process's memory at its peak, pages "
        "indexed, and what became of the others.",
        "Some are crawled with a time-out of 2 s or at most 500 pages, which bound nothing but how long it takes.",
        appliance.NOTE,
    )
    return Report("Bombs", measures, notes)


async def measure(bomb: Bomb) -> Measure:
    """The job's end and cost, beside what they may be."""
    target = f"{bomb.ends}, <= {bomb.max_s:g} s, <= {MAX_GROWTH_MB} MB"
    async with local_site(bomb.respond) as address:
        try:
            (crawled,) = await crawl_apart(address + "/", Asked(bomb.settings), bomb.max_s + GRACE_S)
        except FlowChatError as error:
            return Measure(bomb.name, error.message, target, False)
    return Measure(bomb.name, _told(crawled), target, _is_well(bomb, crawled))


def _is_well(bomb: Bomb, crawled: Crawled) -> bool:
    is_bounded = crawled.seconds <= bomb.max_s and crawled.growth_mb <= MAX_GROWTH_MB
    return is_bounded and crawled.status == bomb.ends and (crawled.status == "succeeded") == (crawled.error == "")


def _told(crawled: Crawled) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in crawled.reasons.items())
    cost = f"{crawled.seconds:.1f} s, {crawled.growth_mb:.0f} MB, {crawled.indexed} indexed"
    return f"{crawled.status}, {cost}" + (f" ({reasons})" if reasons else "")
