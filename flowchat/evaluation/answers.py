"""Answers: a file of questions asked of a source, and what came back held against what should have.

A question file is JSONL: {"question", "pages": [ends of the addresses that hold the answer], "answer": a regular
expression that a right answer matches (any case), or null where the site does not answer}.
"""

import asyncio
import json
import re
import statistics
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from flowchat.errors import FlowChatError
from flowchat.evaluation.asking import Ask, asking
from flowchat.evaluation.report import Measure, Report

MAX_CHARS = 1200  # a longer answer counts as wrong: pouring out pages is not answering
_EVASIVE = re.compile(r"\b(do not|don.t|does not|doesn.t) (know|mention|contain|provide|say)|no information", re.I)


class Asked(msgspec.Struct, frozen=True):
    """A question and what a right answer to it is like. `answer` None: the only right answer is a refusal."""

    question: str
    answer: str | None
    pages: list[str] = []
    id: str = ""


@dataclass(frozen=True, slots=True)
class Targets:
    """The least shares (0-1) with which a run passes."""

    correct: float
    cited: float
    refused: float
    truthful: float


@dataclass(slots=True)
class Outcome:
    """What came back. `sentences` are those shown, with the passages that they cite; times are from the question on."""

    question: str
    is_answerable: bool
    text: str = ""
    refusal: bool = False
    error: str = ""
    sentences: list[dict[str, str]] = field(default_factory=list)
    withheld: int = 0
    is_retrieved: bool = False
    is_cited: bool = False
    is_correct: bool = False
    first_text_s: float | None = None
    done_s: float = 0.0

    @property
    def is_right(self) -> bool:
        return self.is_correct if self.is_answerable else self.refusal and not self.error


def run(
    questions: Path, sources: Sequence[str], targets: Targets, *, url: str = "", key: str = "", out: Path | None = None
) -> Report:
    """Ask one question after the other. `out`: a file that gets every outcome, as JSONL. Raises FlowChatError."""
    asked = read_questions(questions)
    outcomes = asyncio.run(_ask_all(asked, sources, url, key))
    if out is not None:
        out.write_text("".join(f"{json.dumps(asdict(outcome), ensure_ascii=False)}\n" for outcome in outcomes))
    return _report(questions.name, outcomes, targets)


def read_questions(path: Path) -> list[Asked]:
    """Raises FlowChatError `bad_questions` naming the line that can't be read."""
    if not path.is_file():
        raise FlowChatError("no_test_data", f"No {path}: name a file of questions with --questions.")
    questions = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            question = msgspec.json.decode(line, type=Asked)
            re.compile(question.answer or "")
        except (msgspec.DecodeError, re.error) as error:
            raise FlowChatError("bad_questions", f"{path}, line {number}: {error}.") from None
        questions.append(question)
    return questions


async def _ask_all(questions: Sequence[Asked], sources: Sequence[str], url: str, key: str) -> list[Outcome]:
    async with asking(sources, url, key) as ask:
        return [await _ask(ask, question) for question in questions]


async def _ask(ask: Ask, asked: Asked) -> Outcome:
    outcome = Outcome(asked.question, asked.answer is not None)
    started_s = time.monotonic()
    chunks: dict[str, dict[str, Any]] = {}
    cited: list[str] = []
    piece = ""
    try:
        async with aclosing(ask(asked.question)) as events:
            async for event in events:
                data = event.data
                match event.name:
                    case "retrieval.reranked":
                        chunks = {chunk["id"]: chunk for chunk in data["chunks"]}
                    case "generation.token":
                        outcome.first_text_s = outcome.first_text_s or time.monotonic() - started_s
                        outcome.text += data["text"]
                        piece += data["text"]
                    case "generation.cited":
                        cited.append(chunks[data["chunkId"]]["url"])
                        outcome.sentences.append({"text": piece.strip(), "url": cited[-1], "evidence": ""})
                        piece = ""
                    case "nli.verified" if "evidence" in data:
                        outcome.sentences[-1]["evidence"] = data["evidence"]
                    case "nli.verified":
                        outcome.withheld += 1
                    case "error":
                        outcome.error = data["message"]
                    case "stream.done":
                        outcome.refusal = data["refusal"]
    except FlowChatError as error:
        outcome.error = error.message
    outcome.done_s = time.monotonic() - started_s
    outcome.is_retrieved = _is_among([chunk["url"] for chunk in chunks.values()], asked.pages)
    outcome.is_cited = not outcome.refusal and _is_among(cited, asked.pages)
    outcome.is_correct = _is_correct(outcome, asked.answer)
    return outcome


def _is_among(urls: Sequence[str], pages: Sequence[str]) -> bool:
    return any(is_one_of(url, pages) for url in urls)


def is_one_of(url: str, pages: Sequence[str]) -> bool:
    """Whether the address, less its query and fragment, ends with one of these, and a whole name at that."""
    address = url.partition("#")[0].partition("?")[0]
    return any(f"/{address}".endswith(f"/{page.lstrip('/')}") for page in pages)


def _is_correct(outcome: Outcome, answer: str | None) -> bool:
    if answer is None or outcome.refusal or outcome.error or len(outcome.text) > MAX_CHARS:
        return False
    return not _EVASIVE.search(outcome.text) and re.search(answer, outcome.text, re.I | re.S) is not None


def _report(name: str, outcomes: Sequence[Outcome], targets: Targets) -> Report:
    answerable = [outcome for outcome in outcomes if outcome.is_answerable]
    others = [outcome for outcome in outcomes if not outcome.is_answerable]
    answered = [outcome for outcome in outcomes if not outcome.refusal and not outcome.error]
    errors = [outcome for outcome in outcomes if outcome.error]
    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    measures = [
        _share("correct", [outcome.is_correct for outcome in answerable], targets.correct),
        _share("cited", [outcome.is_cited for outcome in answerable], targets.cited),
        _share("retrieved", [outcome.is_retrieved for outcome in answerable]),
        _share("refused", [outcome.is_right for outcome in others], targets.refused),
        _share("truthful", [outcome.is_right for outcome in outcomes], targets.truthful),
        Measure("errors", len(errors), "0", not errors),
        Measure("sentences shown", sum(len(outcome.sentences) for outcome in outcomes)),
        Measure("sentences withheld by the verifier", sum(outcome.withheld for outcome in outcomes)),
        Measure("first text, median s", _median([outcome.first_text_s or 0.0 for outcome in answered])),
        Measure("whole answer, median s", _median([outcome.done_s for outcome in answered])),
    ]
    notes = [f"{_fault(outcome)}: {outcome.question}" for outcome in wrong]
    title = f"Answers: {name}, {len(answerable)} questions that the source answers, {len(others)} that it does not"
    return Report(title, tuple(measures), tuple(notes))


def _fault(outcome: Outcome) -> str:
    if outcome.error:
        return outcome.error
    if not outcome.is_answerable:
        return "not refused"
    return "refused" if outcome.refusal else "wrong"


def _share(name: str, hits: Sequence[bool], target: float | None = None) -> Measure:
    """The share of what is true; there is none without questions of that kind, and then no target."""
    if not hits:
        return Measure(name, "none asked")
    share = sum(hits) / len(hits)
    return Measure(name, share) if target is None else Measure(name, share, f"\u2265 {target:g}", share >= target)


def _median(values_s: Sequence[float]) -> float:
    return statistics.median(values_s) if values_s else 0.0
