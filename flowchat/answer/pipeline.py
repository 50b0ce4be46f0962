"""retrieve → rerank → generate → cite → verify → stream.

Sentences of the sources that answer by themselves open the answer word for word, at once; then the model goes on, and
only what its sources entail is shown. Whether to answer at all is decided from the reranker's scores, before any text:
a small model asked whether it knows says "no" to what it could answer and "yes" to what it can't. An operator's own
answer to the same question comes before all that, word for word.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from flowchat.answer.curated import Matcher
from flowchat.answer.generate import build_messages, is_finished, without_preamble, write_sentences
from flowchat.answer.phrases import phrase
from flowchat.answer.quote import Quote, says_the_same, select_quotes
from flowchat.answer.rerank import HITS, Evidence, rank_sentences, rerank
from flowchat.answer.retrieve import retrieve, standalone_query
from flowchat.answer.verify import Support, verify
from flowchat.domain import Chunk, Citation, Event, Hit, Mode, Verdict, Version
from flowchat.engines.priority import BulkGate
from flowchat.engines.protocols import Engines, GenerationUsage, Generator, Vectors
from flowchat.errors import ModelError
from flowchat.sentences import split_sentences
from flowchat.settings import Settings
from flowchat.store import curated_answers
from flowchat.store.database import Database

MAX_QUOTES = 3
SUGGESTIONS = 3
PREVIEW_CHARS = 240

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """`history` are the conversation's former questions, oldest first; `versions` is what may be searched.

    Curated answers are those of `source_ids`, the sources that are asked, and, with `is_tenant_wide` (the key may ask
    every source), those of the tenant as a whole.
    """

    query: str
    history: tuple[str, ...]
    versions: tuple[Version, ...]
    mode: Mode
    locale: str
    tenant_id: str
    source_ids: tuple[str, ...]
    is_tenant_wide: bool


@dataclass(slots=True)
class Answer:
    """Filled in as the events are made; complete when they end.

    `query_vector` is what the question was searched by; None before that, or where there was nothing to search.
    `verdicts` are also of sentences that were withheld.
    """

    text: str = ""
    refusal: bool = False
    reason: str | None = None
    chunks: list[Hit] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    query_vector: Vectors | None = None
    suggestions: list[dict[str, str]] = field(default_factory=list)
    tokens_in: int = 0
    tokens_out: int = 0


class Answerer:
    """Answers questions; one for the whole process."""

    def __init__(self, settings: Settings, db: Database, engines: Engines, gate: BulkGate) -> None:
        self._settings = settings
        self._db = db
        self._engines = engines
        self._gate = gate

    async def answer(self, question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        """The events of the contract but `stream.done`, in order. Raises FlowChatError; closing it stops the model."""
        yield Event("retrieval.started", {"query": question.query})
        with self._gate.interactive():
            query = standalone_query(question.query, question.history)
            own = await self._find_curated(question, query, answer)
            hits = await self._find(query, question.versions, answer)
            answer.chunks = ([Hit(own, 1.0), *hits] if own else hits)[:HITS]
            yield Event("retrieval.reranked", {"chunks": [_hit_data(hit) for hit in answer.chunks]})
            script = _Script(answer)
            if own:
                for event in self._quote_whole(own, script):
                    yield event
                return
            ranked = await asyncio.to_thread(rank_sentences, self._engines.reranker, query, hits) if hits else []
            if not ranked or ranked[0].score < self._settings.refuse_below:
                yield _refuse(answer, question.locale, "not_covered" if question.versions else "not_ready")
                return
            async with aclosing(self._tell(query, question.mode, ranked, script, answer)) as events:
                async for event in events:
                    yield event

    async def _find_curated(self, question: Question, query: str, answer: Answer) -> Chunk | None:
        """The curated answer to this question, as what an answer cites."""
        embedder, sources = self._engines.embedder, question.source_ids
        candidates = await curated_answers.of_sources(
            self._db,
            question.tenant_id,
            sources,
            embedder.name,
            embedder.dims,
            is_tenant_wide=question.is_tenant_wide,
        )
        if not candidates.ids:
            return None
        vector = await self._embed(query, answer)
        curated_id = await asyncio.to_thread(
            lambda: Matcher(self._engines.verifier, candidates).find((question.query, query), vector)
        )
        chunk = await curated_answers.chunk(self._db, curated_id, sources) if curated_id else None
        return replace(chunk, url=chunk.url or f"{self._settings.origin}/") if chunk else None

    async def _find(self, query: str, versions: Sequence[Version], answer: Answer) -> list[Hit]:
        if not versions:
            return []
        vector = await self._embed(query, answer)
        chunks = await retrieve(self._db, self._engines.embedder.name, query, vector, versions)
        return await asyncio.to_thread(rerank, self._engines.reranker, query, chunks)

    async def _embed(self, query: str, answer: Answer) -> Vectors:
        if answer.query_vector is None:
            answer.query_vector = await asyncio.to_thread(self._engines.embedder.embed_query, query)
        return answer.query_vector

    async def _tell(
        self, query: str, mode: Mode, ranked: Sequence[Evidence], script: "_Script", answer: Answer
    ) -> AsyncGenerator[Event, None]:
        """Quotes first, then what the model adds; or the model first, and quotes where it said nothing."""
        quotes = select_quotes(ranked, MAX_QUOTES, self._settings.refuse_below)
        leading = self._settings.lead_quotes
        for event in self._quote(quotes[:leading], script):
            yield event
        if self._engines.generator is not None and quotes:
            generated = self._generate(self._engines.generator, query, mode, quotes, script, answer)
            async with aclosing(generated) as events:
                async for event in events:
                    yield event
        if not script.shown:
            for event in self._quote(quotes, script):
                yield event

    def _quote(self, quotes: Sequence[Quote], script: "_Script") -> list[Event]:
        """A verbatim sentence is entailed by the chunk it stands in."""
        return [
            event
            for quote in quotes
            for number, sentence in enumerate(quote.sentences)
            for event in script.show(sentence, Support(quote.chunk, 1.0, sentence), "\n\n" if number == 0 else " ")
        ]

    def _quote_whole(self, chunk: Chunk, script: "_Script") -> list[Event]:
        """A chunk's text exactly as it is, sentence by sentence."""
        events, end = [], 0
        for sentence in split_sentences(chunk.text):
            start = chunk.text.index(sentence, end)
            events += script.show(sentence, Support(chunk, 1.0, sentence), chunk.text[end:start])
            end = start + len(sentence)
        return events

    async def _generate(
        self,
        generator: Generator,
        query: str,
        mode: Mode,
        quotes: Sequence[Quote],
        script: "_Script",
        answer: Answer,
    ) -> AsyncGenerator[Event, None]:
        """The model's sentences with their verdicts. A model that fails leaves the answer to the quotes."""
        usage = GenerationUsage()
        chunks = list({quote.chunk.id: quote.chunk for quote in quotes}.values())
        said = [quote.text for quote in quotes[: self._settings.lead_quotes]]
        glue = "\n\n"
        written = write_sentences(generator, build_messages(query, quotes), usage)
        try:
            async with aclosing(written) as steps:
                async for step in steps:
                    if mode == "annotate" and step.piece:
                        yield script.say(step.piece, glue)
                        glue = ""
                    for sentence in step.sentences:
                        judge = self._annotate if mode == "annotate" else self._gate_sentence
                        for event in await judge(sentence, chunks, said, script):
                            yield event
        except ModelError as error:
            log.warning("the generator failed, the answer is quotes only: %s", error)
        finally:
            answer.tokens_in, answer.tokens_out = usage.tokens_in, usage.tokens_out

    async def _gate_sentence(
        self, sentence: str, chunks: Sequence[Chunk], said: list[str], script: "_Script"
    ) -> list[Event]:
        """Nothing for what was said already; a bare verdict for what is not entailed; else the sentence."""
        sentence = without_preamble(sentence)
        if not is_finished(sentence) or any(says_the_same(sentence, other) for other in said):
            return []
        support = await asyncio.to_thread(verify, self._engines.verifier, sentence, chunks)
        if support.score < self._settings.verify_threshold:
            return [script.withhold(support)]
        said.append(sentence)
        return script.show(sentence, support, "\n\n")

    async def _annotate(
        self, sentence: str, chunks: Sequence[Chunk], said: list[str], script: "_Script"
    ) -> list[Event]:
        """The citation and the verdict of a sentence that is shown already."""
        support = await asyncio.to_thread(verify, self._engines.verifier, sentence, chunks)
        return script.cite(support, ok=support.score >= self._settings.verify_threshold)


class _Script:
    """Numbers the citations and keeps the answer's text in step with its events."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._refs = 0

    @property
    def shown(self) -> bool:
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


def _refuse(answer: Answer, locale: str, reason: str) -> Event:
    """The localised refusal; the nearest pages become suggestions."""
    answer.refusal, answer.reason = True, reason
    answer.text = phrase("refusal", locale)
    pages = {hit.chunk.url.partition("#")[0]: hit.chunk.title for hit in answer.chunks}
    pages.pop("", None)  # uploaded documents without an address can't be opened
    answer.suggestions = [{"url": url, "title": title} for url, title in list(pages.items())[:SUGGESTIONS]]
    return Event("generation.token", {"text": answer.text})


def _hit_data(hit: Hit) -> dict[str, Any]:
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
