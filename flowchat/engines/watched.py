"""A generator that is looked after: where it fails, answers do without it, and it is tried again until it works.

One answer that failed proves nothing, since its question may be at fault: then a question of our own decides. A model
of this machine that fails that, too, is loaded anew. One that hangs is not: nothing ends its thread, and its memory is
not there twice; it is asked again now and then, and a restart of FlowChat mends it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import cast

from flowchat.engines.protocols import GenerationUsage, Generator
from flowchat.errors import ModelError

PROBE = ({"role": "user", "content": "Say yes."},)
PROBE_TIMEOUT_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0  # between two tries; each is twice the last
SILENT_S = 5.0  # of an answer that is given up without a word: from then on it is the generator's fault

log = logging.getLogger(__name__)


class WatchedGenerator:
    """A `Generator` around the one that `make` makes, which blocks for seconds. `problem` says why it does not work."""

    def __init__(
        self, name: str, make: Callable[[], Generator], *, is_remote: bool, problem: str | None, made: Generator | None
    ) -> None:
        self.name = name
        self.is_remote = is_remote
        self.problem = problem
        self._make = make
        self._generator = made
        self._suspected = asyncio.Event()
        if problem is not None:
            self._suspected.set()

    async def generate(
        self, messages: Sequence[dict[str, str]], *, max_tokens: int, usage: GenerationUsage
    ) -> AsyncIterator[str]:
        if self._generator is None or self.problem is not None:
            raise ModelError("generator_not_working", self.problem or f"The generator '{self.name}' is being loaded.")
        began, is_silent = time.monotonic(), True
        pieces = cast(AsyncGenerator[str, None], self._generator.generate(messages, max_tokens=max_tokens, usage=usage))
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    is_silent = False
                    yield piece
        except ModelError:
            self._suspected.set()
            raise
        except (GeneratorExit, asyncio.CancelledError):
            if is_silent and time.monotonic() - began >= SILENT_S:
                self._suspected.set()
            raise

    async def look_after(self) -> None:
        """Try it whenever an answer found it wanting, with growing pauses until it works. Until this is cancelled."""
        while True:
            await self._suspected.wait()
            self._suspected.clear()
            pause_s = FIRST_PAUSE_S
            while (problem := await self._try()) is not None:
                if self.problem != problem:
                    log.warning("%s Until it works, answers only quote; it is tried again.", problem)
                self.problem = problem
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if self.problem is not None:
                log.warning("The generator '%s' works again.", self.name)
                self.problem = None

    async def _try(self) -> str | None:
        """What is wrong with it; None if it answers."""
        try:
            if self._generator is None:
                self._generator = await asyncio.to_thread(self._make)
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                async for _ in self._generator.generate(PROBE, max_tokens=1, usage=GenerationUsage()):
                    pass
        except TimeoutError:
            return f"The generator '{self.name}' has not answered for {PROBE_TIMEOUT_S:.0f} s."
        except ModelError as error:
            await self._discard()
            return error.message
        except (ImportError, OSError) as error:
            return f"The generator '{self.name}' cannot be loaded: {error}."
        return None

    async def _discard(self) -> None:
        generator = self._generator
        if generator is not None and not self.is_remote:
            self._generator = None
            await asyncio.to_thread(generator.close)

    def close(self) -> None:
        if self._generator is not None:
            self._generator.close()
