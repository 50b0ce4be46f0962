"""Loads the models that the settings name."""

import logging
import os

from flowchat.engines.embedder import FastembedEmbedder
from flowchat.engines.generator_openai import StreamChat
from flowchat.engines.generators import EXTRACTIVE, create_generator
from flowchat.engines.protocols import Embedder, Engines, Generator
from flowchat.engines.registry import find_model, require
from flowchat.engines.reranker import FastembedReranker
from flowchat.engines.verifier import OnnxVerifier
from flowchat.engines.watched import WatchedGenerator
from flowchat.errors import ModelError
from flowchat.settings import Settings

MENDABLE = {"model_missing", "model_hash_mismatch", "model_load_failed", "binding_missing"}

log = logging.getLogger(__name__)


def load_engines(settings: Settings, stream_chat: StreamChat) -> Engines:
    """Load all models; blocks for seconds. Raises ModelError that says what to run if one is missing or damaged.

    Not so for the generator: without it, answers are quotes, and it is tried again.
    """
    path = settings.models_path
    reranker = find_model(settings.reranker, "reranker", path)
    verifier = find_model(settings.verifier, "verifier", path)
    threads = _threads(settings)
    generator = _generator(settings, threads, stream_chat)
    return Engines(
        embedder=load_embedder(settings),
        reranker=FastembedReranker(reranker, require(reranker, path), threads),
        verifier=OnnxVerifier(require(verifier, path), threads),
        generator=generator,
        watched=generator,
    )


def load_embedder(settings: Settings) -> Embedder:
    """The one model that crawls need. Raises ModelError that says what to run if it is missing or damaged."""
    spec = find_model(settings.embedder, "embedder", settings.models_path)
    return FastembedEmbedder(spec, require(spec, settings.models_path), _threads(settings))


def _threads(settings: Settings) -> int:
    return settings.threads or len(os.sched_getaffinity(0))


def _generator(settings: Settings, threads: int, stream_chat: StreamChat) -> WatchedGenerator | None:
    """One that is looked after; None where answers shall only quote. Raises ModelError for what cannot be meant."""

    def make() -> Generator:
        generator = create_generator(settings, threads, stream_chat)
        if generator is None:
            raise ModelError("bad_setting", "The settings ask for no generator.")
        return generator

    if settings.generator == EXTRACTIVE:
        return None
    is_remote, problem, made = settings.generator.startswith("openai:"), None, None
    try:
        made = make()
    except ModelError as error:
        if error.code not in MENDABLE:
            raise
        problem = error.message
    except (ImportError, OSError) as error:  # a binding that is not made for this machine
        problem = f"The binding of llama.cpp cannot be loaded: {error}. Try another FLOWCHAT_LLAMA_BINDING."
    if problem is not None:
        log.warning("%s Until it can be loaded, answers only quote; it is tried again.", problem)
    name = made.name if made is not None else settings.generator
    return WatchedGenerator(name, make, is_remote=is_remote, problem=problem, made=made)
