"""Small deterministic models for tests of what is around the models."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np

from flowchat.engines.protocols import Engines, GenerationUsage, Generator, Vectors

_WORD = re.compile(r"\w+")
DIMS = 64


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


class FakeEmbedder:
    """Bags of words: each word has a dimension by its hash. Texts that share words are near each other."""

    dims = DIMS

    def __init__(self, name: str = "fake-embedder") -> None:
        self.name = name
        self.embedded: list[str] = []  # every passage ever embedded
        self.before_embedding: Callable[[], None] = lambda: None

    def embed_query(self, query: str) -> Vectors:
        return self._vector(query)

    def embed_passages(self, passages: Sequence[str]) -> Vectors:
        self.before_embedding()
        self.embedded.extend(passages)
        return np.stack([self._vector(passage) for passage in passages])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(words(text)) for text in texts]

    def _vector(self, text: str) -> Vectors:
        vector = np.full(self.dims, 1e-3, np.float32)
        for word in words(text):
            vector[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % self.dims] += 1
        return vector / np.linalg.norm(vector)


class FakeReranker:
    """The share of the query's words (longer than three letters) that the passage has."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        wanted = {word for word in words(query) if len(word) > 3} or set(words(query))
        return [len(wanted & set(words(passage))) / max(1, len(wanted)) for passage in passages]


class FakeVerifier:
    """Entailed (0.99) if the premise has every word of the hypothesis, else not (0.01)."""

    def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [0.99 if set(words(hypothesis)) <= set(words(premise)) else 0.01 for premise, hypothesis in pairs]


class FakeGenerator:
    """Writes what `script` makes of the messages, a word at a time. `closed` counts generations that were stopped."""

    name = "fake-generator"
    is_remote = False

    def __init__(self, script: Callable[[Sequence[dict[str, str]]], str], pause_s: float = 0) -> None:
        self._script = script
        self._pause_s = pause_s
        self.closed = 0
        self.prompts: list[Sequence[dict[str, str]]] = []

    async def generate(
        self,
        messages: Sequence[dict[str, str]],
        *,
        max_tokens: int,
        usage: GenerationUsage,
    ) -> AsyncIterator[str]:
        self.prompts.append(messages)
        usage.tokens_in = sum(len(words(message["content"])) for message in messages)
        finished = False
        try:
            for piece in re.findall(r"\S+\s*", self._script(messages))[:max_tokens]:
                await asyncio.sleep(self._pause_s)
                usage.tokens_out += 1
                yield piece
            finished = True
        finally:
            self.closed += not finished

    def close(self) -> None:
        pass


def fake_engines(generator: Generator | None = None, embedder: FakeEmbedder | None = None) -> Engines:
    return Engines(embedder or FakeEmbedder(), FakeReranker(), FakeVerifier(), generator)
