"""The models as FlowChat runs them, beside the libraries that they run in, with those' own defaults."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing

from fastembed import TextEmbedding
from fastembed.rerank.cross_encoder import TextCrossEncoder

from flowchat.engines.embedder import FastembedEmbedder
from flowchat.engines.generators import create_generator
from flowchat.engines.registry import find_model, require
from flowchat.engines.reranker import FastembedReranker
from flowchat.evaluation.bench.row import Row, rates
from flowchat.evaluation.reference import Prompt, compare
from flowchat.ingest.chunk import chunk_blocks
from flowchat.ingest.documents import builtin_documents
from flowchat.ingest.embed import EMBED_CHUNKS, passage
from flowchat.ingest.extract import extract_markdown
from flowchat.net.openai_stream import stream_chat
from flowchat.settings import Settings

PASSAGES = 64
PAIRS = 20
PROMPTS = 6
PROMPT_PASSAGES = 4
MAX_TOKENS = 96
QUESTION = "How do I crawl my site every day?"


def rows(settings: Settings) -> Iterator[Row]:
    threads = settings.threads or len(os.sched_getaffinity(0))
    embedder = _embedder(settings, threads)
    texts = _passages(embedder)
    yield from _embedding(settings, threads, embedder, texts[:PASSAGES])
    yield from _reranking(settings, threads, texts[:PAIRS])
    yield from asyncio.run(_generation(settings, threads, texts))


def _embedder(settings: Settings, threads: int) -> FastembedEmbedder:
    spec = find_model(settings.embedder, "embedder", settings.models_path)
    return FastembedEmbedder(spec, require(spec, settings.models_path), threads)


def _passages(embedder: FastembedEmbedder) -> list[str]:
    """FlowChat's own documentation as the ingest would embed it."""
    found = []
    for text in builtin_documents().values():
        document = extract_markdown(text)
        chunks = chunk_blocks(document.blocks, embedder.count_tokens)
        found += [passage(document.title, chunk.headings, chunk.text) for chunk in chunks]
    return found


def _embedding(settings: Settings, threads: int, ours: FastembedEmbedder, texts: list[str]) -> Iterator[Row]:
    folder = require(find_model(settings.embedder, "embedder", settings.models_path), settings.models_path)
    raw = TextEmbedding(ours.name, threads=threads, specific_model_path=str(folder))

    def embed_as_ingest() -> None:
        for start in range(0, len(texts), EMBED_CHUNKS):
            ours.embed_passages(texts[start : start + EMBED_CHUNKS])

    measured = rates(len(texts), {"ours": embed_as_ingest, "raw": lambda: list(raw.embed(texts))})
    yield Row("embedding", "chunks/s", measured["ours"], "fastembed's defaults", measured["raw"])


def _reranking(settings: Settings, threads: int, texts: list[str]) -> Iterator[Row]:
    spec = find_model(settings.reranker, "reranker", settings.models_path)
    folder = require(spec, settings.models_path)
    ours = FastembedReranker(spec, folder, threads)
    raw = TextCrossEncoder(spec.name, threads=threads, specific_model_path=str(folder))
    works = {"ours": lambda: ours.score(QUESTION, texts), "raw": lambda: list(raw.rerank(QUESTION, texts))}
    measured = rates(len(texts), works)
    yield Row("reranking", "pairs/s", measured["ours"], "fastembed's defaults", measured["raw"])


async def _generation(settings: Settings, threads: int, texts: list[str]) -> list[Row]:
    generator = create_generator(settings, threads, stream_chat)
    if generator is None or generator.is_remote:
        return []
    with closing(generator):
        prompts = [_prompt(texts[number::PROMPTS][:PROMPT_PASSAGES]) for number in range(PROMPTS)]
        ours, theirs, what = await compare(settings, generator, prompts)
    return [
        Row("generation", "tokens/s", ours.tokens_per_s, what, theirs.tokens_per_s),
        Row("with the reading of prompts", "tokens/s", ours.tokens_per_whole_s, what, theirs.tokens_per_whole_s),
    ]


def _prompt(passages: list[str]) -> Prompt:
    sources = "\n\n".join(passages)
    return Prompt([{"role": "user", "content": f"{sources}\n\n{QUESTION}"}], MAX_TOKENS)
