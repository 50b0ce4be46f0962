"""Figures of one answer: how long each stage took, and what became of its sentences."""

from time import monotonic

from flowchat.answer.pipeline import Answer
from flowchat.answer.stages import Begun, Broken, Dropped, Judged, Prompted, Retrieved, Stage, Weighed, Written
from flowchat.metrics import Metrics


class Watch:
    """Told of the stages as they are reached, by `observe`; counts at the `end`."""

    def __init__(self, metrics: Metrics) -> None:
        self.has_generated = False  # and shown it
        self._metrics = metrics
        self._began = self._since = monotonic()
        self._stage = "wait"
        self._seconds: dict[str, float] = {}

    def observe(self, stage: Stage) -> None:
        match stage:
            case Begun():
                self._go_on("retrieve")
            case Retrieved():
                self._go_on("rerank")
            case Weighed():
                self._go_on("")
            case Prompted():
                self._go_on("generate")
            case Written():
                self._go_on("verify")
            case Dropped():
                self._judged(stage.reason)
            case Judged():
                self.has_generated = self.has_generated or stage.outcome == "supported"
                self._judged(stage.outcome)
            case Broken():
                self._metrics.model_failures.inc()

    def _judged(self, verdict: str) -> None:
        self._metrics.sentences.labels(verdict).inc()
        if self._stage == "verify":  # else it is a quote
            self._go_on("generate")

    def _go_on(self, stage: str) -> None:
        now = monotonic()
        if self._stage:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now

    def end(self, answer: Answer, outcome: str, first_text_s: float | None) -> None:
        """`first_text_s` is None where there was no text."""
        metrics = self._metrics
        metrics.answers.labels(outcome).inc()
        metrics.answer_s.observe(monotonic() - self._began)
        if first_text_s is not None:
            metrics.first_text_s.observe(first_text_s)
        if outcome == "cached":
            return  # its tokens were counted before
        self._go_on("")
        for stage, seconds in self._seconds.items():
            metrics.answer_stage_s.labels(stage).observe(seconds)
        metrics.tokens.labels("in").inc(answer.tokens_in)
        metrics.tokens.labels("out").inc(answer.tokens_out)
        if answer.tokens_out and (generating_s := self._seconds.get("generate")):
            metrics.tokens_per_s.observe(answer.tokens_out / generating_s)
