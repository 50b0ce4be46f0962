"""The trace of an answer: what was found, weighed, prompted and judged, with times."""

from collections.abc import Callable
from typing import Any

from flowchat.answer.pipeline import Answer, Question
from flowchat.answer.retrieve import fused_scores
from flowchat.answer.stages import Dropped, Judged, Prompted, Quoted, Ranked, Retrieved, Stage, Weighed
from flowchat.domain import Chunk, Event
from flowchat.settings import Settings

SCORE_DIGITS = 4
_STEPS = {Retrieved: "retrieved", Ranked: "reranked", Weighed: "weighed", Prompted: "prompted"}


class Trace:
    """Keeps the stages of one answer. `clock` tells seconds; times count from when this is made."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._ends: dict[str, float] = {}  # step: seconds
        self._found: dict[type[Stage], Any] = {}
        self._sentences: list[dict[str, Any]] = []

    def observe(self, stage: Stage) -> None:
        if isinstance(stage, Judged):
            self._sentences.append(_judged(stage))
        elif isinstance(stage, Dropped):
            self._sentences.append({**_judged(None), "text": stage.sentence, "outcome": stage.reason})
        else:
            self._found[type(stage)] = stage
            if type(stage) in _STEPS:
                self._end(_STEPS[type(stage)])

    def tell(self, event: Event) -> None:
        """An event of the answer came."""
        if event.name == "generation.token":
            self._end("first_text")

    def told(self, question: Question, settings: Settings, answer: Answer) -> dict[str, Any]:
        """All of it, as `services.views.playground` shows it. The answer has ended."""
        self._end("done")
        ranked, weighed = self._found.get(Ranked), self._found.get(Weighed)
        quoted, prompted = self._found.get(Quoted), self._found.get(Prompted)
        return {
            "query": ranked.query if ranked else question.query,
            "settings": {
                "mode": question.mode,
                "lead_quotes": settings.lead_quotes,
                "refuse_below": settings.refuse_below,
                "verify_threshold": settings.verify_threshold,
            },
            "curated": next((_place(hit.chunk) for hit in answer.chunks if not hit.chunk.version_id), None),
            "candidates": self._candidates(),
            "spans": [
                {"chunk_id": span.hit.chunk.id, "text": span.span.text, "score": _rounded(span.score)}
                for span in (weighed.spans if weighed else ())
            ],
            "certainty": _rounded(weighed.certainty) if weighed else None,
            "passages": [{**_place(quote.chunk), "text": quote.text} for quote in (quoted.quotes if quoted else ())],
            "prompt": list(prompted.messages) if prompted else [],
            "sentences": self._sentences,
            "is_reduced": answer.is_reduced,
            "timings": [{"step": step, "ms": round(1000 * at_s, 1)} for step, at_s in self._ends.items()],
        }

    def _end(self, step: str) -> None:
        self._ends.setdefault(step, self._clock() - self._began)

    def _candidates(self) -> list[dict[str, Any]]:
        """Best first by the reranker, then those that it left out."""
        retrieved, ranked = self._found.get(Retrieved), self._found.get(Ranked)
        if not retrieved:
            return []
        words, vectors = dict(retrieved.words), dict(retrieved.vectors)
        fused = fused_scores([retrieved.words, retrieved.vectors])
        hits = {hit.chunk.id: hit for hit in (ranked.hits if ranked else ())}
        order = {chunk_id: place for place, chunk_id in enumerate(hits)}
        return [
            {
                **_place(chunk),
                "text": chunk.text,
                "words": _rounded(words.get(chunk.rowid)),
                "vectors": _rounded(vectors.get(chunk.rowid)),
                "fused": _rounded(fused[chunk.rowid]),
                "fused_rank": rank,
                "relevance": _rounded(hits[chunk.id].relevance) if chunk.id in hits else None,
                "score": _rounded(hits[chunk.id].score) if chunk.id in hits else None,
            }
            for rank, chunk in sorted(
                enumerate(retrieved.candidates, start=1), key=lambda one: order.get(one[1].id, len(order) + one[0])
            )
        ]


def _place(chunk: Chunk) -> dict[str, Any]:
    return {"id": chunk.id, "url": chunk.url, "title": chunk.title, "headings": list(chunk.headings)}


def _judged(stage: Judged | None) -> dict[str, Any]:
    """A sentence that was judged, or the form of one that was not."""
    if stage is None:
        return {"ref": None, "ok": None, "score": None, "chunk_id": None, "evidence": ""}
    support = stage.support
    return {
        "ref": stage.ref,
        "text": stage.sentence,
        "outcome": stage.outcome,
        "ok": stage.ok,
        "score": _rounded(support.score),
        "chunk_id": support.chunk.id,
        "evidence": support.evidence,
    }


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, SCORE_DIGITS)
