"""Loads the models that the settings name."""

import os

from flowchat.engines.embedder import FastembedEmbedder
from flowchat.engines.generator_openai import StreamChat
from flowchat.engines.generators import create_generator
from flowchat.engines.protocols import Engines
from flowchat.engines.registry import find_model, require
from flowchat.engines.reranker import FastembedReranker
from flowchat.engines.verifier import OnnxVerifier
from flowchat.settings import Settings


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
        verifier=OnnxVerifier(require(verifier, path), threads),
        generator=create_generator(settings, threads, stream_chat),
    )
