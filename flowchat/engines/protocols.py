"""What the rest of FlowChat knows about models: four small protocols, and the set of them."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
ModelRole = Literal["embedder", "reranker", "verifier"]
RECENT_S = 300.0


class Embedder(Protocol):
    """Turns texts into unit vectors. Blocking: call it in a thread."""

    name: str
    dims: int

    def embed_query(self, query: str) -> Vectors:
        """-> (dims,)"""
        ...

    def embed_passages(self, passages: Sequence[str]) -> Vectors:
        """-> (len(passages), dims)"""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as the model counts them, without special tokens."""
        ...


class Reranker(Protocol):
    """Scores how well passages answer a query. Blocking: call it in a thread."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """-> one probability (0-1, sigmoid of the logit) a passage, in their order"""
        ...


class Verifier(Protocol):
    """Says how likely a premise entails a hypothesis. Blocking: call it in a thread."""

    def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """pairs: (premise, hypothesis) -> one probability (0-1) of entailment a pair"""
        ...


class GenerationUsage:
    """Token counts of one generation; filled in when it ends."""

    __slots__ = ("tokens_in", "tokens_out")

    def __init__(self) -> None:
        self.tokens_in = 0
        self.tokens_out = 0


class Generator(Protocol):
    """Writes text. Closing the iterator (or cancelling its task) stops the model.

    `is_remote`: another machine's cores do it, so that others' searches don't wait for it.
    """

    name: str
    is_remote: bool

    def generate(
        self,
        messages: Sequence[dict[str, str]],
        *,
        max_tokens: int,
        usage: GenerationUsage,
    ) -> AsyncIterator[str]:
        """messages: chat turns {"role", "content"} -> pieces of text as they come. Raises ModelError."""
        ...

    def close(self) -> None: ...


class Watched(Protocol):
    """A generator that may break and come back; `problem` says why it does not work now."""

    problem: str | None

    async def look_after(self) -> None: ...


class Faults:
    """Which models failed lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[ModelRole, float] = {}

    def note(self, role: ModelRole) -> None:
        """It has failed just now."""
        self._last[role] = self._clock()

    def recent(self) -> list[ModelRole]:
        return [role for role, at in self._last.items() if at > self._clock() - RECENT_S]


@dataclass(frozen=True, slots=True)
class Engines:
    """The loaded models. `generator` is None where answers shall only quote; `watched` mends it."""

    embedder: Embedder
    reranker: Reranker
    verifier: Verifier
    generator: Generator | None
    watched: Watched | None = None
    faults: Faults = field(default_factory=Faults)

    @property
    def problem(self) -> str | None:
        """Why the generator does not work, if it does not."""
        return self.watched.problem if self.watched else None

    async def look_after(self) -> None:
        """Bring a generator that fails back to work, until this is cancelled."""
        if self.watched:
            await self.watched.look_after()

    def close(self) -> None:
        """Wait for running generations to end, and free the generator. Close their iterators first."""
        if self.generator is not None:
            self.generator.close()
