"""Script: numbers an answer's citations and keeps its text in step with its events."""

from typing import Any, Protocol

from flowchat.answer.verify import Support
from flowchat.domain import Citation, Event, Hit, Verdict
from flowchat.sentences import split_sentences

PREVIEW_CHARS = 240


class Told(Protocol):
    """What an answer tells: its text, and what that is from."""

    text: str
    citations: list[Citation]
    verdicts: list[Verdict]


class Script:
    """Makes the events of an answer's text, and writes them down in the answer."""

    def __init__(self, answer: Told) -> None:
        self._answer = answer
        self._refs = 0

    @property
    def has_shown(self) -> bool:
        return bool(self._answer.citations)

    def show(self, sentence: str, support: Support, glue: str) -> list[Event]:
        """A verified sentence's text, its citation and its verdict."""
        return [self.say(sentence, glue), *self.cite(support, ok=True)]

    def say(self, text: str, glue: str) -> Event:
        """A piece of the answer. `glue` parts it from what was said before."""
        if self._answer.text:
            text = glue + text
        self._answer.text += text
        return Event("generation.token", {"text": text})

    def cite(self, support: Support, *, ok: bool) -> list[Event]:
        """The citation and the verdict of the sentence that was said last."""
        chunk = support.chunk
        verdict = self._judge(support, ok=ok)
        self._answer.citations.append(
            Citation(verdict["ref"], chunk.id, chunk.url, chunk.title, support.evidence, ok, verdict["score"])
        )
        return [
            Event("generation.cited", {"ref": verdict["ref"], "chunkId": chunk.id}),
            Event("nli.verified", verdict | {"evidence": support.evidence}),
        ]

    def withhold(self, support: Support) -> Event:
        """The verdict on a sentence that is not shown: a reference of its own, and never its text."""
        return Event("nli.verified", self._judge(support, ok=False) | {"chunkId": support.chunk.id})

    def _judge(self, support: Support, *, ok: bool) -> dict[str, Any]:
        """A verdict with the next reference."""
        self._refs += 1
        score = round(support.score, 4)
        self._answer.verdicts.append(Verdict(self._refs, ok, score, support.chunk.id))
        return {"ref": self._refs, "ok": ok, "score": score}


def hit_data(hit: Hit) -> dict[str, Any]:
    """A chunk as `retrieval.reranked` tells of it."""
    chunk = hit.chunk
    preview = split_sentences(chunk.text)[0][:PREVIEW_CHARS] if chunk.text else ""
    return {
        "id": chunk.id,
        "url": chunk.url,
        "score": round(hit.score, 4),
        "title": chunk.title,
        "heading": " > ".join(heading for heading in chunk.headings if heading != chunk.title),
        "quote": preview,
    }
