"""The default models do what FlowChat relies on; the generator through every llama.cpp binding that is installed."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from flowchat.engines.embedder import FastembedEmbedder
from flowchat.engines.generators import BINDINGS, create_generator
from flowchat.engines.load import load_engines
from flowchat.engines.protocols import Embedder, GenerationUsage, Generator, Reranker, Verifier
from flowchat.engines.registry import find_model, require
from flowchat.engines.reranker import FastembedReranker
from flowchat.engines.verifier import OnnxVerifier
from flowchat.errors import ModelError
from flowchat.net.openai_stream import stream_chat
from flowchat.settings import Settings

pytestmark = pytest.mark.models

DEFAULTS = Settings()
THREADS = 2
WAL = "WAL mode is turned on by running PRAGMA journal_mode=WAL once."
COUNT = [{"role": "user", "content": "Write the numbers from 1 to 200, one a line, nothing else."}]


@pytest.fixture(scope="module")
def embedder(models_dir: Path) -> Embedder:
    spec = find_model(DEFAULTS.embedder)
    return FastembedEmbedder(spec, require(spec, models_dir), THREADS)


@pytest.fixture(scope="module")
def reranker(models_dir: Path) -> Reranker:
    spec = find_model(DEFAULTS.reranker)
    return FastembedReranker(spec, require(spec, models_dir), THREADS)


@pytest.fixture(scope="module")
def verifier(models_dir: Path) -> Verifier:
    spec = find_model(DEFAULTS.verifier)
    return OnnxVerifier(require(spec, models_dir), THREADS)


@pytest.fixture(scope="module", params=[name for name, module in BINDINGS.items() if find_spec(module)])
def generator(models_dir: Path, request: pytest.FixtureRequest) -> Iterator[Generator]:
    settings = Settings(models_dir=models_dir, llama_binding=request.param, threads=THREADS)
    generator = create_generator(settings, THREADS, stream_chat)
    assert generator is not None
    yield generator
    generator.close()


def test_embeddings_are_unit_vectors_of_the_promised_length(embedder: Embedder) -> None:
    vectors = embedder.embed_passages(["One.", "Two " * 2000, ""])
    assert vectors.shape == (3, embedder.dims)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert embedder.embed_query("One?").shape == (embedder.dims,)
    assert embedder.embed_passages([]).shape == (0, embedder.dims)


def test_near_sentences_are_closer(embedder: Embedder) -> None:
    dogs, barking, joins = embedder.embed_passages(["Dogs bark at night.", "At night dogs bark.", "SQL joins tables."])
    assert dogs @ barking > dogs @ joins + 0.2


def test_embedding_does_not_depend_on_the_neighbours(embedder: Embedder) -> None:
    alone = embedder.embed_passages([WAL])[0]
    among = embedder.embed_passages(["Short.", WAL, "Long " * 300])[1]
    assert np.array_equal(alone, among)


def test_tokens_are_counted_without_truncation(embedder: Embedder) -> None:
    assert embedder.count_tokens(["hello world", "word " * 1000, ""]) == [2, 1000, 0]
    assert embedder.count_tokens(["don't re-index\tSQLite's FTS5\n(yet)."]) == [17]


def test_reranker_prefers_the_passage_that_answers(reranker: Reranker) -> None:
    scores = reranker.score("How do I enable WAL mode?", ["Penguins live in the Antarctic.", WAL])
    assert scores[1] > 0.9
    assert scores[0] < 0.1


def test_reranker_takes_overlong_texts(reranker: Reranker) -> None:
    assert len(reranker.score("why " * 1000, [WAL * 200, ""])) == 2
    assert reranker.score("why?", []) == []


def test_verifier_tells_entailment_from_contradiction(verifier: Verifier) -> None:
    premise = "The cat sits on the red mat in the kitchen."
    supported, denied = verifier.entailment([(premise, "The cat sits on a mat."), (premise, "The cat sits on no mat.")])
    assert supported > 0.8
    assert denied < 0.4


def test_verifier_cuts_the_premise_only(verifier: Verifier) -> None:
    pairs = [(WAL * 100, WAL), (WAL * 50, WAL), (WAL * 50, "Rabbits dig their burrows at night."), (WAL, WAL * 100)]
    long_premise, cut_alike, other, long_hypothesis = verifier.entailment(pairs)
    assert long_premise == cut_alike > other
    assert long_hypothesis == 0.0


async def write(generator: Generator, question: str, max_tokens: int) -> tuple[str, GenerationUsage]:
    usage = GenerationUsage()
    messages = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": question}]
    return "".join([piece async for piece in generator.generate(messages, max_tokens=max_tokens, usage=usage)]), usage


async def test_generator_answers_and_counts(generator: Generator) -> None:
    text, usage = await write(generator, "What is the capital of France?", 20)
    assert "Paris" in text
    assert 20 < usage.tokens_in < 60
    assert 1 <= usage.tokens_out <= 20


async def test_generator_repeats_itself_at_temperature_zero(generator: Generator) -> None:
    first, _ = await write(generator, "Name three colours.", 12)
    second, _ = await write(generator, "Name three colours.", 12)
    assert first == second


async def test_four_answers_at_once(generator: Generator) -> None:
    capitals = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Japan": "Tokyo"}
    questions = [write(generator, f"What is the capital of {country}?", 16) for country in capitals]
    for (text, usage), capital in zip(await asyncio.gather(*questions), capitals.values(), strict=True):
        assert capital in text
        assert usage.tokens_out > 0


async def test_closing_stops_the_model(generator: Generator) -> None:
    usage = GenerationUsage()
    async with aclosing(generator.generate(COUNT, max_tokens=500, usage=usage)) as pieces:  # type: ignore[type-var]
        assert await anext(pieces)
    await write(generator, "Say yes.", 4)
    assert usage.tokens_out < 100


async def test_cancelling_stops_the_model(generator: Generator) -> None:
    usage = GenerationUsage()
    started = asyncio.Event()

    async def read() -> None:
        async for _ in generator.generate(COUNT, max_tokens=500, usage=usage):
            started.set()

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await write(generator, "Say yes.", 4)
    assert usage.tokens_out < 100


async def test_overlong_prompt_is_an_error(generator: Generator) -> None:
    with pytest.raises(ModelError, match="could not answer") as caught:
        await write(generator, "word " * 3000, 5)
    assert caught.value.code == "generation_failed"


async def test_chat_marks_in_a_question_are_plain_text(generator: Generator) -> None:
    _, plain = await write(generator, "a", 1)
    _, marked = await write(generator, "a<|im_end|>", 1)
    assert marked.tokens_in > plain.tokens_in + 1


def test_generator_is_silent(generator: Generator, capfd: pytest.CaptureFixture[str]) -> None:
    asyncio.run(write(generator, "Say yes.", 4))
    assert capfd.readouterr() == ("", "")


def test_all_engines_load(models_dir: Path) -> None:
    engines = load_engines(Settings(models_dir=models_dir, generator="extractive"), stream_chat)
    assert engines.generator is None
    engines.close()


def test_embedder_pools_and_prefixes_as_its_table_says(models_dir: Path, embedder: Embedder) -> None:
    spec = find_model(DEFAULTS.embedder)
    mean = replace(spec, name="mean-pooled", pooling="mean", query_prefix="query: ", passage_prefix="passage: ")
    pooled = FastembedEmbedder(mean, require(spec, models_dir), THREADS)
    bare = replace(mean, name="without-prefixes", query_prefix="", passage_prefix="")
    plain = FastembedEmbedder(bare, require(spec, models_dir), THREADS)
    passage, same = pooled.embed_passages([WAL])[0], plain.embed_passages([f"passage: {WAL}"])[0]
    assert np.array_equal(passage, same)
    assert np.array_equal(pooled.embed_query(WAL), plain.embed_query(f"query: {WAL}"))
    assert abs(float(passage @ passage) - 1) < 1e-5
    assert float(passage @ embedder.embed_passages([f"passage: {WAL}"])[0]) < 0.999


@pytest.mark.parametrize("damaged", [False, True])
def test_without_its_generator_everything_else_loads(
    models_dir: Path, tmp_path: Path, damaged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (DEFAULTS.embedder, DEFAULTS.reranker):
        (tmp_path / name).symlink_to(models_dir / name)
    generator = find_model("smollm2-135m-instruct-q4_1")
    if damaged:
        (tmp_path / generator.name).mkdir()
        with (tmp_path / generator.name / "model.gguf").open("wb") as file:
            file.truncate(generator.bytes)
    engines = load_engines(Settings(models_dir=tmp_path, generator=generator.name), stream_chat)
    assert engines.generator is not None
    assert engines.problem is not None and f"flowchat models pull {generator.name}" in engines.problem
    assert "answers only quote" in caplog.text
    engines.close()


def test_a_generator_that_is_no_model_is_an_error(models_dir: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_engines(Settings(models_dir=models_dir, generator="nonsense"), stream_chat)
    assert caught.value.code == "unknown_model"


def test_missing_models_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="flowchat models pull bge") as caught:
        load_engines(Settings(models_dir=tmp_path), stream_chat)
    assert caught.value.code == "model_missing"
