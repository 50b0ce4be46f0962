"""A generator that a check plays: an OpenAI-compatible server on loopback whose answers end at once, or never."""

import asyncio
import json
from typing import Self

SENTENCE = "That is in the documentation."
CHUNK_EVERY_S = 5.0


class PlayedGenerator:
    """Serves while its block runs."""

    def __init__(self) -> None:
        self._is_holding = False
        self._held: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """Answers that begin from now on don't end."""
        self._is_holding = True

    def go_on(self) -> None:
        """Those that begin from now on do again."""
        self._is_holding = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._held):
            task.cancel()
        await asyncio.gather(*self._held, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._held.add(task)
            task.add_done_callback(self._held.discard)
        try:
            await self._complete(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # it has hung up
        finally:
            writer.close()

    async def _complete(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
        await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        if self._is_holding:
            hung_up = asyncio.ensure_future(reader.read())
            while not hung_up.done():
                writer.write(_chunk("", None))  # what is silent for long is given up
                await asyncio.wait([hung_up], timeout=CHUNK_EVERY_S)
            await hung_up
        writer.write(_chunk(SENTENCE, None) + _chunk("", "stop") + b"data: [DONE]\n\n")
        await writer.drain()


def _chunk(text: str, finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"
