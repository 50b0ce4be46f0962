"""Lets chat go before indexing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class BulkGate:
    """Bulk work waits its turn while interactive work runs, but never for ever. Safe to use from any thread."""

    def __init__(self) -> None:
        self._interactive = 0
        self._changed = threading.Condition()

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
