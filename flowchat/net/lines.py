"""Lines of a streamed response."""

from collections.abc import AsyncGenerator

import httpx


class TooMuchError(Exception):
    """A line or a response that is larger than its reader wants."""


async def stream_lines(
    response: httpx.Response, max_line_bytes: int | None = None, max_bytes: int | None = None
) -> AsyncGenerator[str, None]:
    """The lines as they come, ended by LF or CRLF and by nothing else. Raises TooMuchError beyond the limits.

    httpx's `aiter_lines` also cuts at U+2028, U+2029 and U+0085, which may stand inside a JSON text.
    """
    rest = b""
    total = 0
    async for part in response.aiter_bytes():
        total += len(part)
        if max_bytes is not None and total > max_bytes:
            raise TooMuchError(f"more than {max_bytes} bytes")
        *lines, rest = (rest + part).split(b"\n")
        if max_line_bytes is not None and max(map(len, (rest, *lines))) > max_line_bytes:
            raise TooMuchError(f"a line of more than {max_line_bytes} bytes")
        for line in lines:
            yield _decoded(line)
    if rest:
        yield _decoded(rest)


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").decode("utf-8", "replace")
