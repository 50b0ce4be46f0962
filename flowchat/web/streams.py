"""Streams of server-sent events, which stay open: each counts as its reader's."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from flowchat.services.limits import Streams


async def counted(reader: str, parts: AsyncGenerator[bytes, None], streams: Streams) -> AsyncIterator[bytes]:
    """The parts of a stream, which counts as its reader's as long as it is open."""
    # Quart closes this generator when the client goes.
    with streams.reading(reader):
        async with aclosing(parts):
            async for part in parts:
                yield part
                await asyncio.sleep(0)  # a stream that never awaits would block everybody else
