"""`flowchat eval answers`: what comes back held against what should have."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import web_server
from test_ask import broken, cli

from flowchat.answer.pipeline import Answer, Question
from flowchat.app import holding
from flowchat.domain import Event
from flowchat.errors import FlowChatError
from flowchat.evaluation.answers import read_questions

QUESTIONS = [
    {"id": "right", "question": "May I return it?", "pages": ["returns"], "answer": "30 days"},
    {"id": "elsewhere", "question": "Is sending it back free?", "pages": ["prices"], "answer": "free"},
    {"id": "wrong", "question": "How long is the warranty?", "pages": ["returns"], "answer": "2 years"},
    {"id": "unknown", "question": "What is the weather?", "answer": None},
    {"id": "invented", "question": "Who won?", "answer": None},
]


async def by_question(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
    script = web_server.refusal if "weather" in question.query else web_server.two_sentences
    async for event in script(question, answer):
        yield event


def written(folder: Path, *lines: object) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


async def test_answers_are_held_against_the_file(tmp_path: Path) -> None:
    path, out = written(tmp_path, *QUESTIONS), tmp_path / "out.jsonl"
    async with web_server.serving(tmp_path) as served:
        served.answerer.script = by_question
        with holding(tmp_path, served.url):
            told = await cli(tmp_path, "eval", "answers", "--questions", str(path), "--out", str(out), "--json")
    (report,) = json.loads(told.stdout)
    figures = {measure["name"]: (measure["value"], measure["ok"]) for measure in report["measures"]}
    assert told.returncode == 1 and "Missed its target" in told.stderr
    assert figures["correct"] == (pytest.approx(2 / 3), False)
    assert figures["cited"] == (pytest.approx(2 / 3), False)
    assert figures["refused"] == (0.5, False)
    assert figures["truthful"] == (0.6, False)
    assert figures["sentences shown"] == (8, None)
    assert report["notes"] == ["wrong: How long is the warranty?", "not refused: Who won?"]
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[0]["sentences"][0] == {
        "text": "You may return it within 30 days.",
        "url": "https://shop.example/returns#time",
        "evidence": "",
    }


async def test_thresholds_are_the_operators_own(tmp_path: Path) -> None:
    path = written(tmp_path, QUESTIONS[0], QUESTIONS[4])
    lowered = ("--min-refused", "0", "--min-truthful", "0.5")
    async with web_server.serving(tmp_path) as served:
        with holding(tmp_path, served.url):
            told = await cli(tmp_path, "eval", "answers", "--questions", str(path), *lowered)
            assert told.returncode == 0 and "correct" in told.stdout
            served.answerer.script = broken
            told = await cli(tmp_path, "eval", "answers", "--questions", str(path), *lowered)
            assert told.returncode == 1 and "The model is out of order.: May I return it?" in told.stdout


@pytest.mark.parametrize(
    ("line", "message"),
    [("{", "line 2"), ('{"answer": null}', "question"), ('{"question": "?", "answer": "("}', "line 2")],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(FlowChatError, match=message):
        read_questions(written(tmp_path, QUESTIONS[0], line))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlowChatError, match="--questions"):
        read_questions(tmp_path / "none.jsonl")
