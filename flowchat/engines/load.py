"""Loads the models that the settings name."""

import logging
import os

from flowchat.engines.embedder import FastembedEmbedder
from flowchat.engines.generator_openai import StreamChat
from flowchat.engines.generators import create_generator
from flowchat.engines.protocols import Embedder, Engines, Generator
from flowchat.engines.registry import find_model, require
from flowchat.engines.reranker import FastembedReranker
from flowchat.engines.verifier import OnnxVerifier
from flowchat.errors import ModelError
from flowchat.settings import Settings

MENDABLE = {"model_missing", "model_hash_mismatch", "model_load_failed", "binding_missing"}

log = logging.getLogger(__name__)


def load_engines(settings: Settings, stream_chat: StreamChat) -> Engines:
    """Load all models; blocks for seconds. Raises ModelError that says what to run if one is missing or damaged.

    Not so for the generator: without it, answers are quotes.
    """
    path = settings.models_path
    reranker = find_model(settings.reranker, "reranker", path)
    verifier = find_model(settings.verifier, "verifier", path)
    threads = _threads(settings)
    generator, problem = _generator(settings, threads, stream_chat)
    return Engines(
        embedder=load_embedder(settings),
        reranker=FastembedReranker(reranker, require(reranker, path), threads),
        verifier=OnnxVerifier(require(verifier, path), threads),
        generator=generator,
        problem=problem,
    )


def load_embedder(settings: Settings) -> Embedder:
    """The one model that crawls need. Raises ModelError that says what to run if it is missing or damaged."""
    spec = find_model(settings.embedder, "embedder", settings.models_path)
    return FastembedEmbedder(spec, require(spec, settings.models_path), _threads(settings))


def _threads(settings: Settings) -> int:
    return settings.threads or len(os.sched_getaffinity(0))


def _generator(settings: Settings, threads: int, stream_chat: StreamChat) -> tuple[Generator | None, str | None]:
    """The generator, or what is wrong with it. Raises ModelError for a setting that cannot be meant."""
    try:
        return create_generator(settings, threads, stream_chat), None
    except ModelError as error:
        if error.code not in MENDABLE:
            raise
        problem = error.message
    except (ImportError, OSError) as error:  # a binding that is not made for this machine
        problem = f"The binding of llama.cpp cannot be loaded: {error}. Try another FLOWCHAT_LLAMA_BINDING."
    log.warning("%s Until FlowChat is started again with a generator that works, answers only quote.", problem)
    return None, problem
