"""POST /v1/chat over real HTTP: a question that was answered before."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from appliance import operator
from web_server import Served, add_source, events_of, make_live, names, refusal, serving, two_sentences

from flowchat.answer.pipeline import Answer, Question
from flowchat.domain import Event
from flowchat.errors import ModelError
from flowchat.services import curated_answers, sources

MB = 8


async def asked(served: Served, query: str = "May I return it?", **body: object) -> bool:
    """Ask; whether the answer was made, rather than remembered."""
    before = len(served.answerer.questions)
    events = await events_of(served, {"query": query, **body})
    assert names(events)[-1] == "stream.done"
    assert "error" not in names(events)
    return len(served.answerer.questions) > before


async def test_a_question_asked_again_has_the_same_stream(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:
        first = await events_of(served)
        again = await events_of(served, {"query": "Please, may I return it"})
        whole = (await served.ask(Accept="application/json")).json()
        assert await served.stored_answers() == 3
        assert len(served.answerer.questions) == 1
    assert names(again) == names(first)
    assert [event.data for event in again[1:-1]] == [event.data for event in first[1:-1]]
    assert again[0].json() == {"query": "Please, may I return it"}
    assert again[-1].json()["usage"] == {"tokens_in": 0, "tokens_out": 0}
    assert again[-1].json()["message_id"] != first[-1].json()["message_id"]
    assert whole["answer"] == "You may return it within 30 days. Sending it back is free."
    assert len(whole["citations"]) == 2


async def test_it_counts_and_is_billed_as_any_answer(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:
        for _ in range(3):
            await asked(served)
        row = await served.app.db.row("select sum(queries), sum(billable_queries), sum(tokens_out) from usage_ledger")
    assert row is not None
    assert tuple(row) == (3, 3, 17)


async def test_a_refusal_is_remembered_too(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:
        served.answerer.script = refusal
        await asked(served)
        served.answerer.script = two_sentences
        done = (await events_of(served))[-1].json()
    assert (done["refusal"], done["reason"]) == (True, "no_match")
    assert done["suggestions"]


async def test_what_an_answer_depends_on_is_told_apart(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:
        assert await asked(served)
        assert not await asked(served)
        assert await asked(served, locale="de")
        await served.widget_key(sources=("shop",))
        assert not await asked(served)
        await served.widget_key(sources=("shop",), mode="annotate")
        assert await asked(served)
        await add_source(served.app, "other", is_live=True)
        await served.widget_key(sources=("shop", "other"))
        assert await asked(served)
        await served.widget_key()
        assert await asked(served)
        assert await asked(served, source="shop")  # the key may ask all: curated answers of the tenant apply


async def test_a_new_version_is_asked_anew(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:
        assert await asked(served)
        shop = await sources.get(served.app, await operator(served.app), "shop")
        await make_live(served.app, shop)
        assert await asked(served)
        assert not await asked(served)


async def test_curated_answers_count_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:
        actor = await operator(served.app)
        await asked(served)
        new = curated_answers.NewCuratedAnswer(question="May I return it?", answer="No.", source="shop")
        curated = await curated_answers.create(served.app, actor, new)
        assert await asked(served)
        assert not await asked(served)
        change = curated_answers.CuratedAnswerChange(answer="Yes.")
        await curated_answers.update(served.app, actor, curated.id, change)
        assert await asked(served)
        await curated_answers.delete(served.app, actor, curated.id)
        assert not await asked(served)  # as it was before there was one


async def test_where_a_curated_answer_without_a_url_leads_counts(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:
        await served.widget_key()
        new = curated_answers.NewCuratedAnswer(question="May I return it?", answer="No.")
        await curated_answers.create(served.app, await operator(served.app), new)
        assert await asked(served)
        assert not await asked(served)
        await served.app.db.write(lambda conn: conn.execute("update sources set url = 'https://new.example/'").rowcount)
        assert await asked(served)
        assert not await asked(served)


async def test_what_a_curated_answer_overtook_is_not_kept(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:
        go_on = served.answerer.hold_back()
        asking = asyncio.create_task(asked(served))
        await served.answerer.until_running(1)
        actor = await operator(served.app)
        new = curated_answers.NewCuratedAnswer(question="May I return it?", answer="No.", source="shop")
        curated = await curated_answers.create(served.app, actor, new)
        go_on.set()
        assert await asking
        assert await asked(served)
        await curated_answers.delete(served.app, actor, curated.id)
        assert await asked(served)  # the first answer may have been either


async def test_follow_ups_are_remembered_by_what_they_follow(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:

        async def follow(first: str) -> bool:
            done = (await events_of(served, {"query": first}))[-1].json()
            thread = {name: done[name] for name in ("conversation_id", "conversation_token")}
            return await asked(served, "And abroad?", **thread)

        assert await follow("May I return it?")
        assert not await follow("May I return it?")
        assert await follow("May I pay later?")


async def test_what_failed_or_was_reduced_is_made_again(tmp_path: Path) -> None:
    async def broken(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        yield Event("retrieval.started", {"query": question.query})
        raise ModelError("model_failed", "The generator is gone.")

    async def reduced(question: Question, answer: Answer) -> AsyncGenerator[Event, None]:
        async for event in two_sentences(question, answer):
            yield event
        answer.is_reduced = True

    async with serving(tmp_path, answer_cache_mb=MB) as served:
        for script in (broken, reduced, two_sentences):
            served.answerer.script = script
            await events_of(served)
        assert len(served.answerer.questions) == 3
        assert not await asked(served)


async def test_a_revoked_source_is_not_remembered(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB) as served:
        await asked(served)
        await sources.revoke(served.app, await operator(served.app), "shop")
        response = await served.ask({"query": "May I return it?", "source": "shop"})
        everything = await events_of(served)
        assert len(served.answerer.questions) == 2
    assert response.status_code == 404
    assert names(everything)[-1] == "stream.done"


async def test_a_full_machine_still_says_what_it_remembers(tmp_path: Path) -> None:
    async with serving(tmp_path, answer_cache_mb=MB, parallel_answers=1, queued_answers=0) as served:
        await asked(served)
        go_on = served.answerer.hold_back()
        waiting = served.app.slots.reserve()
        other = await served.ask({"query": "Another?"})
        assert not await asked(served)
        waiting.release()
        go_on.set()
    assert (other.status_code, other.json()["code"]) == (503, "busy")
    assert int(other.headers["Retry-After"]) > 0
