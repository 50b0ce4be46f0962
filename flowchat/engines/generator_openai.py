"""Any server that speaks OpenAI's chat completions: vLLM, llama-server, Ollama, a cloud."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from flowchat.engines.protocols import GenerationUsage

StreamChat = Callable[[str, str, dict[str, Any]], AsyncGenerator[dict[str, Any], None]]
"""(base URL, API key or '', request body) -> the decoded chunks of the answer. Raises ModelError."""


class OpenAIGenerator:
    """A `Generator` that asks `model` at `base_url` (such as http://127.0.0.1:11434/v1) through `stream_chat`."""

    def __init__(self, model: str, base_url: str, api_key: str, stream_chat: StreamChat) -> None:
        self.name = model
        self._base_url = base_url
        self._api_key = api_key
        self._stream_chat = stream_chat

    async def generate(
        self, messages: Sequence[dict[str, str]], *, max_tokens: int, usage: GenerationUsage, stop: Sequence[str] = ()
    ) -> AsyncIterator[str]:
        request: dict[str, Any] = {
            "model": self.name,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if stop:
            request["stop"] = list(stop)
        async with aclosing(self._stream_chat(self._base_url, self._api_key, request)) as chunks:
            async for chunk in chunks:
                for choice in chunk.get("choices", []):
                    if text := choice["delta"].get("content"):
                        usage.tokens_out += 1  # until the server says better: nearly all send one token a chunk
                        yield text
                if counted := chunk.get("usage"):
                    usage.tokens_in = counted["prompt_tokens"]
                    usage.tokens_out = counted["completion_tokens"]

    def close(self) -> None:
        """Nothing is held between answers."""
