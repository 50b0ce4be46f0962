"""`flowchat worker`: does jobs of an appliance that serves the same data folder, in a process of its own.

The jobs table is the truth: a worker takes a job by its lease, and whoever sees that run out takes the job. So a worker
may be stopped or killed at any moment, and there may be any number of them. They end with the appliance.
"""

import asyncio
import signal
from contextlib import suppress

from flowchat.app import (
    LOOK_FOR_JOBS_S,
    Holder,
    Report,
    again_and_again,
    holder,
    look_for_jobs,
    open_workshop,
    working_beside,
)
from flowchat.engines.priority import lower_priority
from flowchat.errors import FlowChatError
from flowchat.settings import Settings

LOOK_AT_SERVER_S = 1.0


def work(settings: Settings, jobs: int, report: Report) -> None:
    """Until SIGTERM or SIGINT, `jobs` at the same time; `report` prints a text for the operator.

    Raises FlowChatError: nobody serves the data folder, or no longer; the embedding model is missing.
    """
    lower_priority()  # in the place of the gate that lets questions go first where both are in one process
    with working_beside(settings) as server:
        asyncio.run(_work(settings, jobs, server, report))


async def _work(settings: Settings, jobs: int, server: Holder, report: Report) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_workshop(settings) as (shop, queue):
        queue.start(shop, jobs)
        looking = asyncio.create_task(again_and_again(LOOK_FOR_JOBS_S, lambda: look_for_jobs(shop, queue, jobs)))
        report(f"working for {server.url}")
        try:
            is_served = await _until(stop, settings, server)
        finally:
            shop.stopping.set()
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            await asyncio.to_thread(queue.stop)
    if not is_served:
        message = f"FlowChat at {server.url} has stopped, and so does its worker. Start it again after that."
        raise FlowChatError("server_stopped", message)


async def _until(stop: asyncio.Event, settings: Settings, server: Holder) -> bool:
    """Wait for a signal, or for the end of the appliance; returns whether that still serves."""
    while not stop.is_set():
        if await asyncio.to_thread(holder, settings.data_dir) != server:
            return False
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_AT_SERVER_S)
    return True
