"""Loads the models that the settings name."""

import os
from dataclasses import dataclass

from flowchat.engines.embedder import FastembedEmbedder
from flowchat.engines.generator_openai import StreamChat
from flowchat.engines.generators import create_generator
from flowchat.engines.protocols import Embedder, Generator, Reranker, Verifier
from flowchat.engines.registry import find_model, require
from flowchat.engines.reranker import FastembedReranker
from flowchat.engines.verifier import OnnxVerifier
from flowchat.settings import Settings


@dataclass(frozen=True, slots=True)
class Engines:
    """The loaded models. `generator` is None where answers only quote."""

    embedder: Embedder
    reranker: Reranker
    verifier: Verifier
    generator: Generator | None

    def close(self) -> None:
        """Wait for running generations to end, and free the generator. Close their iterators first."""
        if self.generator is not None:
            self.generator.close()


def load_engines(settings: Settings, stream_chat: StreamChat) -> Engines:
    """Load all models; blocks for seconds. Raises ModelError that says what to run if one is missing or damaged."""
    embedder = find_model(settings.embedder, "embedder")
    reranker = find_model(settings.reranker, "reranker")
    verifier = find_model(settings.verifier, "verifier")
    threads = settings.threads or len(os.sched_getaffinity(0))
    path = settings.models_path
    return Engines(
        embedder=FastembedEmbedder(embedder, require(embedder, path), threads),
        reranker=FastembedReranker(reranker, require(reranker, path), threads),
        verifier=OnnxVerifier(verifier, require(verifier, path), threads),
        generator=create_generator(settings, threads, stream_chat),
    )
