"""Any server that speaks OpenAI's chat completions: vLLM, llama-server, Ollama, a cloud."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from flowchat.engines.protocols import GenerationUsage
from flowchat.errors import ModelError

StreamChat = Callable[[str, str, dict[str, Any]], AsyncGenerator[dict[str, Any], None]]
"""(base URL, API key or '', request body) -> the decoded chunks of the answer. Raises ModelError."""


class OpenAIGenerator:
    """A `Generator` that asks `model` at `base_url` (such as http://127.0.0.1:11434/v1) through `stream_chat`."""

    is_remote = True

    def __init__(self, model: str, base_url: str, api_key: str, stream_chat: StreamChat) -> None:
        self.name = model
        self._base_url = base_url
        self._api_key = api_key
        self._stream_chat = stream_chat

    async def generate(
        self, messages: Sequence[dict[str, str]], *, max_tokens: int, usage: GenerationUsage
    ) -> AsyncIterator[str]:
        request: dict[str, Any] = {
            "model": self.name,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        async with aclosing(self._stream_chat(self._base_url, self._api_key, request)) as chunks:
            async for chunk in chunks:
                if text := _read(chunk, usage):
                    yield text

    def close(self) -> None:
        """Nothing is held between answers."""


def _read(chunk: dict[str, Any], usage: GenerationUsage) -> str:
    """The text of a chunk; its counts go into `usage`. Servers send null or nothing for what a chunk lacks."""
    try:
        text = "".join((choice.get("delta") or {}).get("content") or "" for choice in chunk.get("choices") or [])
        if text:
            usage.tokens_out += 1  # until the server says better: nearly all send one token a chunk
        if counted := chunk.get("usage"):
            usage.tokens_in = int(counted.get("prompt_tokens") or 0)
            usage.tokens_out = int(counted.get("completion_tokens") or usage.tokens_out)
    except (AttributeError, TypeError, ValueError):
        message = f"The generator sent a chunk that is not of a chat completion: {str(chunk)[:80]}"
        raise ModelError("generation_failed", message) from None
    return text
