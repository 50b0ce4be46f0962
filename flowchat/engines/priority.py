"""Who goes first where all share a few cores: chat before indexing, questions one after the other, and the search for
one before the generator, which goes on with answers that show a text already.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

NICER_BY = 10  # the scheduler gives such a thread a tenth of the time of one of ordinary priority
MOST_NICE = 19


def lower_priority() -> None:
    """Let this thread, and those that it starts from now on, run where others leave time. Linux has that by thread."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, min(MOST_NICE, os.getpriority(os.PRIO_PROCESS, thread) + NICER_BY))


class BulkGate:
    """Bulk work waits its turn while interactive work runs, but never for ever. Safe to use from any thread.

    Questions have a turn of their own (`searching`). It belongs to one event loop.
    """

    def __init__(self) -> None:
        self._interactive = 0
        self._changed = threading.Condition()
        self._turn = asyncio.Lock()
        self.searches = 0  # those whose turn it is, or who wait for it

    @asynccontextmanager
    async def searching(self) -> AsyncIterator[None]:
        """The turn of one question's search, first come, first served.

        Every model of a search takes all cores, so that two searches at once would both end when the second one does.
        """
        self.searches += 1
        try:
            async with self._turn:
                yield
        finally:
            self.searches -= 1

    async def let_search_go_first(self) -> None:
        """Return when the search under way, and those that wait for their turn now, have ended."""
        async with self._turn:
            return

    @contextmanager
    def interactive(self) -> Iterator[None]:
        """Somebody is waiting for what is done in this block. Takes no time to enter; blocks may overlap."""
        with self._changed:
            self._interactive += 1
        try:
            yield
        finally:
            with self._changed:
                self._interactive -= 1
                self._changed.notify_all()

    def wait_turn(self, max_wait_s: float) -> None:
        """Before each small batch of bulk work, in a worker thread: return when nobody waits, or after max_wait_s."""
        with self._changed:
            self._changed.wait_for(lambda: self._interactive == 0, timeout=max_wait_s)
