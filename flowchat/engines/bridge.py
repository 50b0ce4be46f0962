"""From a blocking model in a worker thread to an async iterator, and to one that ends in time."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar

Step = TypeVar("Step")
Result = TypeVar("Result")
Emit = Callable[[str], bool]  # hands a piece of text over ('' for none); True: stop generating


async def stream_from_thread(pool: ThreadPoolExecutor, work: Callable[[Emit], None]) -> AsyncIterator[str]:
    """Run `work` in `pool` and yield what it emits; what it raises is raised here.

    Closing the iterator makes the next `emit` return True, or keeps `work` from starting at all; it does not wait.
    What a slow reader leaves lying is bounded by the number of pieces that `work` emits (a generator's max_tokens).
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[str | None] = asyncio.Queue()
    stopped = threading.Event()

    def emit(piece: str) -> bool:
        if piece and not stopped.is_set():
            loop.call_soon_threadsafe(pieces.put_nowait, piece)
        return stopped.is_set()

    working = loop.run_in_executor(pool, contextvars.copy_context().run, work, emit)
    working.add_done_callback(lambda _: pieces.put_nowait(None))
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        await working
    finally:
        stopped.set()
        working.cancel()


async def to_its_end(work: Callable[..., Result], *arguments: Any) -> Result:
    """What blocking `work` returns, from a thread. A cancelled caller waits for it: nothing could stop the thread."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def until(deadline: float, steps: AsyncGenerator[Step, None]) -> AsyncGenerator[Step, None]:
    """The steps that come before `deadline`, by the event loop's clock; then they are closed, and it ends quietly."""
    async with aclosing(steps):
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    step = await anext(steps)
            except (StopAsyncIteration, TimeoutError):
                return
            yield step
