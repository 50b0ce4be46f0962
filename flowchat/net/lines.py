"""Lines of a streamed response."""

from collections.abc import AsyncGenerator

import httpx


async def stream_lines(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The lines as they come, ended by LF or CRLF and by nothing else.

    httpx's `aiter_lines` also cuts at U+2028, U+2029 and U+0085, which may stand inside a JSON text.
    """
    rest = b""
    async for part in response.aiter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield _decoded(line)
    if rest:
        yield _decoded(rest)


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")
