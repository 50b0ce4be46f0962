"""Streams chat completions from an OpenAI-compatible server."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx

from flowchat.errors import ModelError
from flowchat.net.lines import stream_lines

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0  # a busy server may take that long to read the prompt
RETRY_PAUSES_S = (0.5, 2.0)
PASSING = {429, 500, 502, 503, 504}
ERROR_TEXT_LIMIT = 300


async def stream_chat(base_url: str, api_key: str, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """POST `request` to base_url/chat/completions and yield the decoded chunks.

    Tries again after a failure to connect or a passing error of the server, but never once a chunk has come.
    Raises ModelError `generator_unreachable`, `generator_refused` or `generation_failed`.
    """
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    async with httpx.AsyncClient(headers=headers, timeout=timeout) as client:
        response = await _send(client, f"{base_url}/chat/completions", request)
        try:
            async for chunk in _chunks(response):
                yield chunk
        except httpx.HTTPError as error:
            message = f"{base_url} broke off its answer ({type(error).__name__}). Ask again."
            raise ModelError("generation_failed", message) from None
        finally:
            await response.aclose()


async def _send(client: httpx.AsyncClient, url: str, request: dict[str, Any]) -> httpx.Response:
    for pause_s in RETRY_PAUSES_S:
        try:
            return await _send_once(client, url, request)
        except ModelError as error:
            if error.code == "generator_refused":
                raise
        await asyncio.sleep(pause_s)
    return await _send_once(client, url, request)


async def _send_once(client: httpx.AsyncClient, url: str, request: dict[str, Any]) -> httpx.Response:
    try:
        response = await client.send(client.build_request("POST", url, json=request), stream=True)
        if response.status_code == 200:
            return response
        body = (await response.aread()).decode(errors="replace")[:ERROR_TEXT_LIMIT]
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        message = f"The generator at {url} cannot be reached ({reason}). Check FLOWCHAT_GENERATOR and that it runs."
        raise ModelError("generator_unreachable", message) from None
    raise _refusal(url, response.status_code, body)


def _refusal(url: str, status: int, body: str) -> ModelError:
    answered = f"The generator at {url} answered {status}"
    if status in (401, 403):
        return ModelError("generator_refused", f"{answered}: set FLOWCHAT_GENERATOR_API_KEY to a key it accepts.")
    if status == 404:
        return ModelError("generator_refused", f"{answered}: check model and URL in FLOWCHAT_GENERATOR. {body}")
    if status in PASSING:
        return ModelError("generator_unreachable", f"{answered}: it is overloaded or broken. {body}")
    return ModelError("generator_refused", f"{answered}. {body}")


async def _chunks(response: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    async for line in stream_lines(response):
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data == "[DONE]":
            return
        if not data:
            continue
        try:
            chunk = json.loads(data)
        except ValueError:
            chunk = None
        if not isinstance(chunk, dict):
            raise ModelError("generation_failed", f"The generator sent what is not a JSON object: {data[:80]}")
        if error := chunk.get("error"):
            raise ModelError("generation_failed", f"The generator failed: {str(error)[:ERROR_TEXT_LIMIT]}")
        yield chunk
