"""Streams chat completions from an OpenAI-compatible server.

A visitor waits meanwhile, and has quotes already: whatever takes too long is given up, and what failed before the first
piece of text is tried again only where that may help soon.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import cache
from typing import Any, NoReturn

import httpx

from flowchat import logs
from flowchat.errors import ModelError
from flowchat.net.lines import TooMuchError, stream_lines

CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 30.0  # before the first chunk and between two; a server may first have to load the model
TOTAL_TIMEOUT_S = 90.0  # tries, pauses and the whole answer
RETRY_PAUSES_S = (0.5, 2.0)
MAX_RETRY_AFTER_S = 5.0  # a server that wants more is not asked again
MAX_LINE_BYTES = 1_000_000
MAX_ANSWER_BYTES = 4_000_000  # of the stream: about 300 bytes a token
PASSING = {429, 500, 502, 503, 504, 529}
ERROR_TEXT_LIMIT = 300


class _PassingError(Exception):
    """A failure that may be gone at the next try, `after_s` seconds from now if the server said so."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


async def stream_chat(base_url: str, api_key: str, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """POST `request` to base_url/chat/completions and yield the decoded chunks. Closing this hangs up.

    Tries again after a failure to connect or a passing error of the server, but never once the answer has begun.
    Raises ModelError `generator_unreachable`, `generator_refused` or `generation_failed`.
    """
    deadline = asyncio.get_running_loop().time() + TOTAL_TIMEOUT_S
    headers = logs.headers() | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
    timeout = httpx.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    async with httpx.AsyncClient(headers=headers, timeout=timeout, verify=_tls()) as client:
        try:
            async with asyncio.timeout_at(deadline):
                response = await _send(client, f"{base_url}/chat/completions", request)
            async with aclosing(_chunks(response, base_url)) as chunks:
                while True:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        return
                    yield chunk
        except httpx.TimeoutException:
            message = f"The generator at {base_url} was silent for {SILENCE_TIMEOUT_S:.0f} s. Is the model too large?"
            raise ModelError("generation_failed", message) from None
        except TimeoutError:
            message = f"The generator at {base_url} took longer than {TOTAL_TIMEOUT_S:.0f} s for an answer."
            raise ModelError("generation_failed", message) from None
        except httpx.HTTPError as error:
            raise _broken_off(base_url, type(error).__name__) from None


@cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificates takes so long that everybody's streams would wait at every answer."""
    return httpx.create_ssl_context()


def _broken_off(base_url: str, how: str) -> ModelError:
    return ModelError("generation_failed", f"The generator at {base_url} broke off its answer ({how}). Ask again.")


async def _send(client: httpx.AsyncClient, url: str, request: dict[str, Any]) -> httpx.Response:
    pauses = list(RETRY_PAUSES_S)
    while True:
        try:
            return await _send_once(client, url, request)
        except _PassingError as error:
            if not pauses or (error.after_s or 0) > MAX_RETRY_AFTER_S:
                raise ModelError("generator_unreachable", str(error)) from None
            pause_s = pauses.pop(0)
            await asyncio.sleep(pause_s if error.after_s is None else error.after_s)


async def _send_once(client: httpx.AsyncClient, url: str, request: dict[str, Any]) -> httpx.Response:
    try:
        response = await client.send(client.build_request("POST", url, json=request), stream=True)
    except httpx.ReadTimeout:
        raise  # it has the question and is too slow: asked again, it would be slower
    except httpx.InvalidURL as error:
        raise ModelError("generator_refused", f"{url} is no address ({error}). Check FLOWCHAT_GENERATOR.") from None
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise _PassingError(
            f"The generator at {url} cannot be reached ({reason}). Check FLOWCHAT_GENERATOR and that it runs."
        ) from None
    if response.status_code == 200:
        return response
    try:
        _refuse(url, response, await _beginning(response))
    finally:
        await response.aclose()


def _refuse(url: str, response: httpx.Response, body: str) -> NoReturn:
    status = response.status_code
    answered = f"The generator at {url} answered {status}"
    if status in PASSING:
        raise _PassingError(f"{answered}: it is overloaded or broken. {body}", _retry_after_s(response))
    if status in (401, 403):
        raise ModelError("generator_refused", f"{answered}: set FLOWCHAT_GENERATOR_API_KEY to a key it accepts.")
    if status == 404:
        raise ModelError("generator_refused", f"{answered}: check model and URL in FLOWCHAT_GENERATOR. {body}")
    raise ModelError("generator_refused", f"{answered}. {body}")


async def _beginning(response: httpx.Response) -> str:
    """The first of a body, which is an error's text or anything at all."""
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) >= ERROR_TEXT_LIMIT:
            break
    return body.decode(errors="replace")[:ERROR_TEXT_LIMIT]


def _retry_after_s(response: httpx.Response) -> float | None:
    """None where there is none; the form with a date is not used by such servers."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdecimal() else None


async def _chunks(response: httpx.Response, base_url: str) -> AsyncGenerator[dict[str, Any], None]:
    """Raises ModelError `generation_failed` for what is not a whole stream of chunks."""
    ended = False
    try:
        async with aclosing(stream_lines(response, MAX_LINE_BYTES, MAX_ANSWER_BYTES)) as lines:
            async for line in lines:
                data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if data == "[DONE]":
                    return
                if data:
                    chunk = _decoded(data)
                    ended = ended or _is_last(chunk)
                    yield chunk
    except TooMuchError as error:
        raise ModelError("generation_failed", f"The generator at {base_url} sent too much: {error}.") from None
    finally:
        await response.aclose()
    if not ended:
        raise _broken_off(base_url, "its stream has no end")


def _decoded(data: str) -> dict[str, Any]:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError):
        chunk = None
    if not isinstance(chunk, dict):
        raise ModelError("generation_failed", f"The generator sent what is not a JSON object: {data[:80]}")
    if error := chunk.get("error"):
        raise ModelError("generation_failed", f"The generator failed: {str(error)[:ERROR_TEXT_LIMIT]}")
    return chunk


def _is_last(chunk: dict[str, Any]) -> bool:
    """Servers that send no [DONE] say why they ended."""
    choices = chunk.get("choices")
    return isinstance(choices, list) and any(isinstance(c, dict) and c.get("finish_reason") for c in choices)
