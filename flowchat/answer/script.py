"""Script: numbers an answer's citations and keeps its text in step with its events."""

from collections.abc import Sequence
from typing import Any, Protocol

from flowchat.answer.links import shown
from flowchat.answer.spans import split_head
from flowchat.answer.stages import Judged, Observer
from flowchat.answer.verify import Support
from flowchat.domain import Chunk, Citation, Event, Hit, Verdict
from flowchat.sentences import split_sentences

PREVIEW_CHARS = 240


class Told(Protocol):
    """What an answer tells: its text, and what that is from."""

    text: str
    citations: list[Citation]
    verdicts: list[Verdict]

    @property
    def observe(self) -> Observer: ...


class Script:
    """Makes the events of an answer's text, and writes them down in the answer.

    `link_hosts`: whose addresses may be shown although the cited page is another site's; `*` for all.
    """

    def __init__(self, answer: Told, link_hosts: Sequence[str]) -> None:
        self._answer = answer
        self._link_hosts = link_hosts
        self._refs = 0
        self._said = ""  # the sentence that was said last

    @property
    def has_shown(self) -> bool:
        return bool(self._answer.citations)

    def show(self, sentence: str, support: Support, glue: str) -> list[Event]:
        """A verified sentence's text, its citation and its verdict; nothing where nothing of it may be shown.

        `glue` parts it from what was said before.
        """
        said = self.say(sentence, [support.chunk], glue)
        return [*said, *self.cite(support, ok=True)] if said else []

    def say(self, sentence: str, chunks: Sequence[Chunk], glue: str) -> list[Event]:
        """A sentence's text, as it may be shown beside the chunks that it is from, if anything of it may.

        Rows of one table that follow each other have its head once.
        """
        head, rows = split_head(sentence)
        if head and head == split_head(self._said)[0]:
            text, glue = rows, "\n"
        else:
            text = sentence
        text = shown(text, chunks, self._link_hosts)
        if not any(map(str.isalnum, text)):
            return []
        if self._answer.text:
            text = glue + text
        self._answer.text += text
        self._said = sentence
        return [Event("generation.token", {"text": text})]

    def cite(self, support: Support, *, ok: bool) -> list[Event]:
        """The citation and the verdict of the sentence that was said last."""
        chunk = support.chunk
        verdict = self._judge(self._said, support, ok=ok)
        evidence, title = (shown(text, [chunk], self._link_hosts) for text in (support.evidence, chunk.title))
        self._answer.citations.append(
            Citation(verdict["ref"], chunk.id, chunk.url, title, evidence, ok, verdict["score"])
        )
        return [
            Event("generation.cited", {"ref": verdict["ref"], "chunkId": chunk.id}),
            Event("nli.verified", verdict | {"evidence": evidence}),
        ]

    def withhold(self, sentence: str, support: Support) -> Event:
        """The verdict on a sentence that is not shown: a reference of its own, and never its text."""
        return Event("nli.verified", self._judge(sentence, support, ok=False) | {"chunkId": support.chunk.id})

    def _judge(self, sentence: str, support: Support, *, ok: bool) -> dict[str, Any]:
        """A verdict with the next reference."""
        self._refs += 1
        score = round(support.score, 4)
        self._answer.verdicts.append(Verdict(self._refs, ok, score, support.chunk.id))
        self._answer.observe(Judged(self._refs, sentence, ok, support))
        return {"ref": self._refs, "ok": ok, "score": score}


def hit_data(hit: Hit, link_hosts: Sequence[str]) -> dict[str, Any]:
    """A chunk as `retrieval.reranked` tells of it."""
    chunk = hit.chunk
    preview = _preview(chunk.text)[: 2 * PREVIEW_CHARS]
    title, heading, quote = (
        shown(text, [chunk], link_hosts)
        for text in (chunk.title, " > ".join(name for name in chunk.headings if name != chunk.title), preview)
    )
    return {
        "id": chunk.id,
        "url": chunk.url,
        "score": round(hit.score, 4),
        "title": title,
        "heading": heading,
        "quote": quote[:PREVIEW_CHARS],
    }


def _preview(text: str) -> str:
    """The first sentence, or the cells of the first row that has any."""
    sentences = [sentence for sentence in split_sentences(text) if any(map(str.isalnum, sentence))]
    first = sentences[0] if sentences else ""
    if not first.startswith("| "):
        return first
    return " \u00b7 ".join(filter(None, (cell.strip() for cell in first.strip("|").split(" | "))))
