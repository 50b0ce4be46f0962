"""The answer pipeline's stages with fake models, on a real database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEmbedder, FakeGenerator, FakeReranker, FakeVerifier

from flowchat.answer.decide import answerability, terms
from flowchat.answer.generate import is_finished, without_preamble
from flowchat.answer.pipeline import Answer, Answerer, Question
from flowchat.answer.quote import says_the_same
from flowchat.answer.rerank import Evidence
from flowchat.answer.script import Script, hit_data
from flowchat.answer.spans import Span
from flowchat.answer.verify import Support, verify
from flowchat.domain import Chunk, CrawlConfig, Event, Hit, Mode, NewChunk, PageOutcome, Source, new_id, now
from flowchat.engines.priority import BulkGate
from flowchat.engines.protocols import RECENT_S, Engines, Faults, Vectors
from flowchat.errors import ModelError
from flowchat.settings import Settings
from flowchat.store import chunks, migrate, pages, sources, tenants, versions
from flowchat.store.database import Connection, Database, open_database

TEXT = "The free plan allows three projects.\n\nPaid plans have no limit on projects. It renews every month."


def chunk(text: str = TEXT) -> Chunk:
    return Chunk("chk_1", 1, "ver_1", "http://site/plans", "Plans", ("Limits",), text)


def writing(text: str) -> FakeGenerator:
    return FakeGenerator(lambda _: text)


async def fill(db: Database, embedder: FakeEmbedder) -> str:
    """A source with one live version of one page; returns the version's id."""
    new = NewChunk(TEXT, ("Limits",), "limits")
    vectors = embedder.embed_passages([TEXT])

    def transaction(conn: Connection) -> str:
        tenant = tenants.insert(conn, "default", "Default")
        source = Source(
            new_id("src"), tenant.id, "docs", "docs", None, "ready", "en", CrawlConfig(), None, 0, 0, None, now()
        )
        sources.insert(conn, source)
        version_id = versions.insert(conn, source.id, embedder.name)
        seq = int(conn.execute("select seq from versions").fetchone()[0])
        chunks.ensure_vectors(conn, embedder.dims)
        page = pages.finish(conn, seq, PageOutcome("http://site/plans", 0, "indexed", title="Plans"))
        chunks.insert(conn, seq, page, "Plans", [new], vectors)
        return version_id

    return await db.write(transaction)


async def ask(
    folder: Path,
    query: str,
    generator: FakeGenerator | None,
    mode: Mode = "gate",
    lead_quotes: int = 1,
    verifier: FakeVerifier | None = None,
) -> tuple[list[Event], Answer]:
    return (await ask_at_once(folder, [query], generator, mode, lead_quotes, verifier))[0]


async def ask_at_once(
    folder: Path,
    queries: Sequence[str],
    generator: FakeGenerator | None,
    mode: Mode = "gate",
    lead_quotes: int = 1,
    verifier: FakeVerifier | None = None,
) -> list[tuple[list[Event], Answer]]:
    folder.mkdir(exist_ok=True)
    path = folder / "flowchat.db"
    migrate.migrate(path)
    embedder = FakeEmbedder()
    engines = Engines(embedder, FakeReranker(), verifier or FakeVerifier(), generator)
    async with open_database(path) as db:
        version = await versions.get(db, await fill(db, embedder))
        assert version is not None
        answerer = Answerer(Settings(lead_quotes=lead_quotes, refuse_below=0.3), db, engines, BulkGate())

        async def one(query: str) -> tuple[list[Event], Answer]:
            answer = Answer()
            question = Question(query, (), (version,), mode, "en", "ten_1", (), False)
            return [event async for event in answerer.answer(question, answer)], answer

        return await asyncio.gather(*map(one, queries))


def test_quotes_open_and_only_entailed_sentences_follow(tmp_path: Path) -> None:
    generator = writing("Paid plans have no limit. Unicorns graze beneath rainbows.")
    events, answer = asyncio.run(ask(tmp_path, "How many projects does the free plan allow?", generator))
    names = [event.name for event in events]
    assert names[:2] == ["retrieval.started", "retrieval.reranked"]
    assert answer.text.startswith("The free plan allows three projects.") and "Paid plans" in answer.text
    assert "Unicorns" not in answer.text and not answer.refusal
    assert "".join(event.data["text"] for event in events if event.name == "generation.token") == answer.text
    verdicts = {event.data["ref"]: event.data["ok"] for event in events if event.name == "nli.verified"}
    cited = [event.data["ref"] for event in events if event.name == "generation.cited"]
    assert [verdicts[ref] for ref in cited] == [True, True]
    withheld = [event.data for event in events if event.name == "nli.verified" and not event.data["ok"]]
    assert [set(data) for data in withheld] == [{"ref", "ok", "score", "chunkId"}]


def test_annotate_shows_everything_with_its_verdict(tmp_path: Path) -> None:
    generator = writing("Paid plans have no limit. Unicorns graze beneath rainbows.")
    events, answer = asyncio.run(ask(tmp_path, "How many projects does the free plan allow?", generator, "annotate"))
    assert answer.text.endswith("Paid plans have no limit. Unicorns graze beneath rainbows.")
    assert "".join(event.data["text"] for event in events if event.name == "generation.token") == answer.text
    assert [citation.verified for citation in answer.citations] == [True, True, False]
    assert events[-1].name == "nli.verified"


def test_marks_of_citations_are_taken_out_of_the_text(tmp_path: Path) -> None:
    generator = writing("Paid plans have no limit [1]. It renews every month. [2]")
    for mode in ("gate", "annotate"):
        _, answer = asyncio.run(ask(tmp_path / mode, "How many projects does the free plan allow?", generator, mode))
        assert answer.text.endswith("It renews every month.") and "[" not in answer.text


def test_annotate_shows_the_whole_sentences_of_a_model_that_broke(tmp_path: Path) -> None:
    class Breaking(FakeGenerator):
        async def generate(self, *arguments: Any, **options: Any) -> AsyncIterator[str]:
            yield "Paid plans have no limit. It renews"
            raise ModelError("generation_failed", "It broke.")

    generator = Breaking(lambda _: "")
    events, answer = asyncio.run(ask(tmp_path, "How many projects does the free plan allow?", generator, "annotate"))
    assert answer.text.endswith("Paid plans have no limit.") and events[-1].name == "nli.verified"


def test_refuses_what_the_site_does_not_say(tmp_path: Path) -> None:
    events, answer = asyncio.run(ask(tmp_path, "Which volcano erupted yesterday?", writing("Etna did.")))
    assert answer.refusal and answer.reason == "not_covered" and not answer.citations
    assert [event.name for event in events][-1] == "generation.token"
    assert answer.suggestions in ([], [{"url": "http://site/plans", "title": "Plans"}])


def test_without_a_generator_it_quotes(tmp_path: Path) -> None:
    _, answer = asyncio.run(ask(tmp_path, "How many projects does the free plan allow?", None, lead_quotes=0))
    assert answer.text.startswith("The free plan allows three projects.")


def test_where_many_wait_answers_are_quotes_and_the_last_one_is_whole(tmp_path: Path) -> None:
    queries = ["How many projects does the free plan allow?"] * 4
    generator = writing("Paid plans have no limit.")
    answers = [answer for _, answer in asyncio.run(ask_at_once(tmp_path / "own", queries, generator))]
    assert all(answer.text.startswith("The free plan allows three projects.") for answer in answers)
    assert all(answer.is_reduced for answer in answers)
    assert [bool(answer.tokens_out) for answer in answers] == [False, False, True, True]
    generator.is_remote = True
    answers = [answer for _, answer in asyncio.run(ask_at_once(tmp_path / "remote", queries, generator))]
    assert all(answer.tokens_out for answer in answers)


def break_down(messages: object) -> str:
    raise ModelError("generation_failed", "It broke.")


def test_a_broken_generator_leaves_the_quotes(tmp_path: Path) -> None:
    broken = FakeGenerator(break_down)
    _, answer = asyncio.run(ask(tmp_path, "How many projects does the free plan allow?", broken, lead_quotes=0))
    assert answer.text.startswith("The free plan allows three projects.") and not answer.refusal


def test_a_number_that_the_source_lacks_is_never_supported() -> None:
    assert verify(FakeVerifier(), "The free plan allows 30 projects.", [chunk()]).score == 0
    assert verify(FakeVerifier(), "The free plan allows three projects.", [chunk()]).score == 1


def test_a_part_of_a_sentence_is_not_entailed_by_identity() -> None:
    class Doubtful(FakeVerifier):
        def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
            return [0.1 for _ in pairs]

    text = "No version of it supports foreign keys."
    assert verify(Doubtful(), "supports foreign keys.", [chunk(text)]).score == 0.1
    assert verify(Doubtful(), text, [chunk(text)]).score == 1


def test_identity_looks_through_marks_but_not_through_signs() -> None:
    class Doubtful(FakeVerifier):
        def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
            return [0.1 for _ in pairs]

    text = "- The **default** mode is `fast`.\n- The product is a*b.\n\n-5 degrees is the limit."
    assert verify(Doubtful(), "the default mode is fast.", [chunk(text)]).score == 1
    for other in ("5 degrees is the limit.", "The product is ab.", "The default mode is FAST."):
        assert verify(Doubtful(), other, [chunk(text)]).score <= 0.1


def test_annotate_cites_what_was_said_before_the_verifier_broke(tmp_path: Path) -> None:
    class Broken(FakeVerifier):
        def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
            raise ModelError("verification_failed", "It broke.")

    generator = writing("Unicorns graze beneath rainbows.")
    query = "How many projects does the free plan allow?"
    events, answer = asyncio.run(ask(tmp_path, query, generator, "annotate", verifier=Broken()))
    assert answer.text.endswith("Unicorns graze beneath rainbows.") and answer.is_reduced
    assert answer.citations[-1].verified is False and events[-1].name == "nli.verified"


def test_what_the_question_is_about_must_stand_in_the_evidence(tmp_path: Path) -> None:
    _, answer = asyncio.run(ask(tmp_path / "known", "How many projects does the free plan allow?", None))
    assert not answer.refusal
    _, answer = asyncio.run(ask(tmp_path / "unknown", "How many projects does the Tokyo plan allow?", None))
    assert answer.refusal and answer.reason == "not_covered"


async def test_answers_stand_out_and_say_what_is_asked(tmp_path: Path) -> None:
    migrate.migrate(tmp_path / "flowchat.db")
    async with open_database(tmp_path / "flowchat.db") as db:
        version = await versions.get(db, await fill(db, FakeEmbedder()))
        assert version is not None
        [found] = await chunks.by_rowids(db, [1])

        async def certainty(query: str, *scores: float, language: str = "en") -> float:
            ranked = [Evidence(Hit(found, score), Span((TEXT,)), score) for score in scores]
            return await answerability(db, query, ranked, [replace(version, language=language)])

        said, half, none = "free projects", "free volcano", "volcano ash"
        assert await certainty(said, 0.9, 0.1) > await certainty(half, 0.9, 0.1) > await certainty(none, 0.9, 0.1)
        assert await certainty(said, 0.9, 0.1) > await certainty(said, 0.9, 0.8) > await certainty(said, 0.7, 0.6)
        assert await certainty("ash lava smoke", 0.9) == await certainty("ash lava smoke crater", 0.9)
        assert await certainty(said) == await certainty(said, 0.01) == 0
        assert await certainty(said, 0.9, language="de") == await certainty(none, 0.9, language="de") > 0.59


def test_terms_are_what_a_question_tells() -> None:
    assert terms("How do I use two-factor login with core.editor?") == ["two-factor", "login", "core.editor"]
    assert terms("How does it work?") == []


def test_small_parts() -> None:
    assert says_the_same("Use WAL mode now.", "You should use WAL mode now, please.")
    assert without_preamble("According to the first source, it is 10.") == "It is 10."
    assert without_preamble("Based on which page, asks nobody.") == "Based on which page, asks nobody."
    assert is_finished('He said "yes."') and not is_finished("It goes on and")


def test_rows_of_one_table_have_its_head_once(tmp_path: Path) -> None:
    head = "| Plan | Price |\n| --- | --- |\n"
    cited = chunk(f"{head}| Basic | 5 |\n| Team | 25 |\n\n| Extra | Price |\n| --- | --- |\n| Seat | 2 |")
    answer = Answer()
    script = Script(answer, ())
    for sentence in (f"{head}| Basic | 5 |", f"{head}| Team | 25 |", "| Extra | Price |\n| --- | --- |\n| Seat | 2 |"):
        script.show(sentence, Support(cited, 1.0, sentence), "\n\n")
    assert answer.text == cited.text
    assert [citation.quote for citation in answer.citations][1] == f"{head}| Team | 25 |"


def test_a_passage_that_begins_with_a_table_is_told_by_its_first_cells() -> None:
    for head in ("| Plan | Price |", "|  |  |"):
        hit = Hit(chunk(f"{head}\n| --- | --- |\n| Basic | 5 |"), 0.5)
        assert hit_data(hit, ())["quote"] == ("Plan \u00b7 Price" if "Plan" in head else "Basic \u00b7 5")
    assert hit_data(Hit(chunk(""), 0.5), ())["quote"] == ""


class BrokenEmbedder(FakeEmbedder):
    def embed_query(self, query: str) -> Vectors:
        raise ModelError("embedding_failed", "The embedder failed: out of memory")


class BrokenReranker(FakeReranker):
    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        raise ModelError("reranking_failed", "The reranker failed: out of memory")


async def ask_with(folder: Path, engines: Engines) -> Answer:
    path = folder / "flowchat.db"
    migrate.migrate(path)
    async with open_database(path) as db:
        version = await versions.get(db, await fill(db, FakeEmbedder()))
        assert version is not None
        answer = Answer()
        question = Question("How many projects does the free plan allow?", (), (version,), "gate", "en", "t", (), False)
        answering = Answerer(Settings(refuse_below=0.3), db, engines, BulkGate()).answer(question, answer)
        async for _ in answering:
            pass
        return answer


def test_without_the_embedder_words_find_the_answer(tmp_path: Path) -> None:
    engines = Engines(BrokenEmbedder(), FakeReranker(), FakeVerifier(), None)
    answer = asyncio.run(ask_with(tmp_path, engines))
    assert answer.text.startswith("The free plan allows three projects.") and answer.is_reduced
    assert engines.faults.recent() == ["embedder"]


def test_without_the_reranker_nothing_is_answered(tmp_path: Path) -> None:
    engines = Engines(FakeEmbedder(), BrokenReranker(), FakeVerifier(), None)
    with pytest.raises(ModelError, match="search does not work") as caught:
        asyncio.run(ask_with(tmp_path, engines))
    assert (caught.value.status, caught.value.code) == (503, "search_failed")
    assert engines.faults.recent() == ["reranker"]


def test_faults_are_forgotten_when_all_has_gone_well_for_a_while() -> None:
    at = [1000.0]
    faults = Faults(lambda: at[0])
    faults.note("verifier")
    assert faults.recent() == ["verifier"]
    at[0] += RECENT_S
    assert faults.recent() == []
