"""retrieve → rerank → generate → cite → verify → stream.

Sentences of the sources that answer by themselves open the answer word for word, at once; then the model goes on, and
only what its sources entail is shown. Whether to answer at all is decided from the reranker's scores, before any text:
a small model asked whether it knows says "no" to what it could answer and "yes" to what it can't. An operator's own
answer to the same question comes before all that, word for word.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from flowchat.answer.curated import Matcher
from flowchat.answer.decide import answerability
from flowchat.answer.generate import build_messages, is_finished, without_preamble, write_sentences
from flowchat.answer.leaks import repeats
from flowchat.answer.links import shown
from flowchat.answer.phrases import language_name, phrase
from flowchat.answer.query import standalone_query
from flowchat.answer.quote import Quote, pieces_of, says_the_same, select_quotes
from flowchat.answer.rerank import HITS, HURRIED_SPANS, MAX_SPANS, Evidence, rank_spans, rerank
from flowchat.answer.retrieve import retrieve
from flowchat.answer.script import Script, hit_data
from flowchat.answer.stages import (
    Begun,
    Broken,
    Dropped,
    Observer,
    Prompted,
    Quoted,
    Ranked,
    Weighed,
    Written,
    unobserved,
)
from flowchat.answer.verify import Support, verify
from flowchat.domain import Chunk, Citation, Event, Hit, Mode, Verdict, Version
from flowchat.engines.bridge import to_its_end, until
from flowchat.engines.priority import BulkGate
from flowchat.engines.protocols import Engines, GenerationUsage, Generator, Vectors
from flowchat.errors import ModelError
from flowchat.settings import Settings
from flowchat.store import curated_answers
from flowchat.store.database import Database

Judged = TypeVar("Judged")
MAX_QUOTES = 3
SUGGESTIONS = 3
MAX_SEARCHES_AHEAD = 1  # of a generation that shares their cores

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
    `verdicts` are also of sentences that were withheld. `is_reduced`: the search was hurried because others waited,
    or the generator was busy, late or broken, so that another time the answer would say more. `observe` is told how it
    comes about, withheld sentences included.
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
    is_reduced: bool = False
    observe: Observer = unobserved


class Answerer:
    """Answers questions; one for the whole process."""

    def __init__(self, settings: Settings, db: Database, engines: Engines, gate: BulkGate) -> None:
        self._settings = settings
        self._db = db
        self._engines = engines
        self._gate = gate
        self._generations = asyncio.Semaphore(settings.parallel_answers)

    def with_settings(self, settings: Settings) -> "Answerer":
        """One that answers by other settings. Both wait for the same turns."""
        other = copy(self)
        other._settings = settings
        return other

    async def answer(self, question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        """The events of the contract but `stream.done`, in order. Raises FlowChatError; closing it stops the model."""
        deadline = asyncio.get_running_loop().time() + self._settings.answer_patience_s
        yield Event("retrieval.started", {"query": question.query})
        with self._gate.interactive():
            query = standalone_query(question.query, question.history)
            answer.is_reduced = self._gate.searches > 0
            async with self._gate.searching():
                answer.observe(Begun())
                own = await self._find_curated(question, query, answer)
                hits = await self._find(query, question.versions, answer)
                answer.chunks = ([Hit(own, 1.0), *hits] if own else hits)[:HITS]
                answer.observe(Ranked(query, hits))
                found = [hit_data(hit, self._settings.link_hosts) for hit in answer.chunks]
                yield Event("retrieval.reranked", {"chunks": found})
                if own:
                    for event in self._quote_whole(own, Script(answer, ("*",))):
                        yield event
                    return
                spans = HURRIED_SPANS if self._is_hurried(answer) else MAX_SPANS
                ranked = await self._judge(rank_spans, self._engines.reranker, query, hits, spans) if hits else []
                certainty = await self._certainty(question, query, ranked)
                answer.observe(Weighed(ranked, certainty))
            if not ranked or certainty < self._settings.refuse_below:
                yield self._refuse(answer, question.locale, "not_covered" if question.versions else "not_ready")
                return
            quotes = select_quotes(ranked, MAX_QUOTES)
            answer.observe(Quoted(quotes))
            telling = _Telling(query, question, quotes, Script(answer, self._settings.link_hosts), answer, deadline)
            async with aclosing(self._tell(telling)) as events:
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
        if (vector := await self._embed(query, answer)) is None:
            return None
        try:
            curated_id = await to_its_end(
                lambda: Matcher(self._engines.verifier, candidates).find((question.query, query), vector)
            )
        except ModelError as error:
            log.warning("the verifier failed, curated answers are left out: %s", error)
            answer.observe(Broken())
            self._engines.faults.note("verifier")
            answer.is_reduced = True
            return None
        chunk = await curated_answers.chunk(self._db, curated_id, sources) if curated_id else None
        return replace(chunk, url=chunk.url or f"{self._settings.origin}/") if chunk else None

    async def _find(self, query: str, versions: Sequence[Version], answer: Answer) -> list[Hit]:
        if not versions:
            return []
        vector = await self._embed(query, answer)
        chunks = await retrieve(self._db, self._engines.embedder.name, query, vector, versions, answer.observe)
        return await self._judge(rerank, self._engines.reranker, query, chunks, lambda: self._is_hurried(answer))

    async def _judge(self, work: Callable[..., list[Judged]], *arguments: Any) -> list[Judged]:
        """Work of the reranker, without which nothing says whether the pages answer. Raises ModelError."""
        try:
            return await to_its_end(work, *arguments)
        except ModelError as error:
            log.error("the reranker failed: %s", error)
            self._engines.faults.note("reranker")
            raise ModelError("search_failed", "FlowChat's search does not work at the moment. Ask again.") from None

    def _is_hurried(self, answer: Answer) -> bool:
        """Whether a search should be short: it had to wait for its turn, or somebody waits for theirs now."""
        answer.is_reduced = answer.is_reduced or self._gate.searches > 1
        return answer.is_reduced

    async def _embed(self, query: str, answer: Answer) -> Vectors | None:
        """None where the embedder fails: then words alone find what there is."""
        if answer.query_vector is None:
            try:
                answer.query_vector = await to_its_end(self._engines.embedder.embed_query, query)
            except ModelError as error:
                log.warning("the embedder failed, only words are searched for: %s", error)
                answer.observe(Broken())
                self._engines.faults.note("embedder")
                answer.is_reduced = True
        return answer.query_vector

    async def _certainty(self, question: Question, query: str, ranked: Sequence[Evidence]) -> float:
        """How likely the evidence answers the question, as it was asked or as it was understood."""
        readings = dict.fromkeys((query, question.query))
        return max([await answerability(self._db, text, ranked, question.versions) for text in readings])

    async def _tell(self, telling: "_Telling") -> AsyncGenerator[Event, None]:
        """Quotes first, then what the model adds; or the model first, and quotes where it said nothing."""
        script, generator = telling.script, self._engines.generator
        for event in self._quote(telling.quotes[: self._settings.lead_quotes], script):
            yield event
        if generator is not None and not self._engines.problem and await self._is_free(generator, telling.deadline):
            async with self._generations, aclosing(self._generate(generator, telling)) as events:
                async for event in events:
                    yield event
        elif generator is not None:
            telling.answer.is_reduced = True
        if not script.has_shown:
            for event in self._quote(telling.quotes, script):
                yield event
        if not script.has_shown:  # nothing of them may be shown
            yield self._refuse(telling.answer, telling.question.locale, "not_covered")

    async def _is_free(self, generator: Generator, deadline: float) -> bool:
        """Whether the model may write now: those who wait for their first text go first, this answer shows one already.

        A search or two are waited for; where more visitors wait, cores that write would keep all of them waiting.
        """
        if not generator.is_remote and self._gate.searches <= MAX_SEARCHES_AHEAD:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._gate.let_search_go_first()
        return not self._generations.locked() and (generator.is_remote or not self._gate.searches)

    def _quote(self, quotes: Sequence[Quote], script: Script) -> list[Event]:
        """A verbatim sentence is entailed by the chunk it stands in."""
        return [
            event
            for quote in quotes
            for glue, sentence in quote.pieces
            for event in script.show(sentence, Support(quote.chunk, 1.0, sentence), glue)
        ]

    def _quote_whole(self, chunk: Chunk, script: Script) -> list[Event]:
        """A chunk's text exactly as it is, sentence by sentence, a table's head with its first row."""
        return [
            event
            for glue, piece in pieces_of(chunk.text)
            for event in script.show(piece, Support(chunk, 1.0, piece), glue)
        ]

    async def _generate(self, generator: Generator, telling: "_Telling") -> AsyncGenerator[Event, None]:
        """The model's sentences with their verdicts. One that fails or is late leaves it to the quotes."""
        question, answer, quotes = telling.question, telling.answer, telling.quotes
        messages = build_messages(telling.query, quotes, _language(question.versions, quotes[0]))
        answer.observe(Prompted(messages))
        said = [quote.text for quote in quotes[: self._settings.lead_quotes]]
        usage = GenerationUsage()
        written = until(telling.deadline, write_sentences(generator, messages, usage))
        try:
            async with aclosing(written) as sentences:
                async for sentence in sentences:
                    answer.observe(Written())
                    sentence = without_preamble(sentence)
                    is_whole = is_finished(sentence)
                    if not is_whole or repeats(sentence, messages[0]["content"]):
                        answer.observe(Dropped(sentence, "repeats_prompt" if is_whole else "unfinished"))
                        continue
                    tell = self._annotate if question.mode == "annotate" else self._gate_sentence
                    async for event in tell(sentence, telling, said):
                        yield event
        except ModelError as error:
            log.warning("the generator or the verifier failed, the answer is quotes only: %s", error)
            answer.observe(Broken())
            answer.is_reduced = True
        finally:
            answer.tokens_in, answer.tokens_out = usage.tokens_in, usage.tokens_out
        if asyncio.get_running_loop().time() >= telling.deadline:
            answer.is_reduced = True

    async def _gate_sentence(self, sentence: str, telling: "_Telling", said: list[str]) -> AsyncGenerator[Event, None]:
        """Nothing for what was said already; a bare verdict for what is not entailed; else the sentence."""
        if any(says_the_same(sentence, other) for other in said):
            telling.answer.observe(Dropped(sentence, "said_already"))
            return
        support = await self._verify(sentence, telling)
        if support.score < self._settings.verify_threshold:
            yield telling.script.withhold(sentence, support)
            return
        said.append(sentence)
        for event in telling.script.show(sentence, support, "\n\n"):
            yield event

    async def _annotate(self, sentence: str, telling: "_Telling", said: list[str]) -> AsyncGenerator[Event, None]:
        """The sentence at once, then its verdict, whatever it is."""
        glue = "\n\n" if not said or said[-1] in {quote.text for quote in telling.quotes} else " "
        said.append(sentence)
        if spoken := telling.script.say(sentence, telling.chunks, glue):
            yield spoken[0]
            try:
                support = await self._verify(sentence, telling)
            except ModelError:
                for event in telling.script.cite(Support(telling.chunks[0], 0.0, ""), ok=False):
                    yield event
                raise
            for event in telling.script.cite(support, ok=support.score >= self._settings.verify_threshold):
                yield event

    async def _verify(self, sentence: str, telling: "_Telling") -> Support:
        try:
            return await asyncio.to_thread(verify, self._engines.verifier, sentence, telling.chunks, telling.query)
        except ModelError:
            self._engines.faults.note("verifier")
            raise

    def _refuse(self, answer: Answer, locale: str, reason: str) -> Event:
        """The localised refusal; the nearest pages become suggestions."""
        answer.refusal, answer.reason = True, reason
        answer.text = phrase("refusal", locale)
        pages = {hit.chunk.url.partition("#")[0]: hit.chunk for hit in answer.chunks}
        pages.pop("", None)  # uploaded documents without an address can't be opened
        answer.suggestions = [
            {"url": url, "title": shown(chunk.title, [chunk], self._settings.link_hosts)}
            for url, chunk in list(pages.items())[:SUGGESTIONS]
        ]
        return Event("generation.token", {"text": answer.text})


@dataclass(frozen=True, slots=True)
class _Telling:
    """An answer that is not a refusal, from its quotes on. `deadline`: when it ends, by the event loop's clock."""

    query: str
    question: Question
    quotes: Sequence[Quote]
    script: Script
    answer: Answer
    deadline: float

    @property
    def chunks(self) -> list[Chunk]:
        """What may be cited."""
        return list({quote.chunk.id: quote.chunk for quote in self.quotes}.values())


def _language(versions: Sequence[Version], quote: Quote) -> str:
    """The name of the language that a quote is in; '' for English, which the models take for granted."""
    language = next((version.language for version in versions if version.id == quote.chunk.version_id), "")
    return language_name(language) if language != "en" else ""
