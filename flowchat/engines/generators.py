"""Chooses the generator that the settings name."""

import re
from importlib.util import find_spec

from flowchat.engines.generator_openai import OpenAIGenerator, StreamChat
from flowchat.engines.protocols import Generator
from flowchat.engines.registry import ModelSpec, find_model, require
from flowchat.errors import ModelError
from flowchat.settings import Settings

EXTRACTIVE = "extractive"
BINDINGS = {"xllamacpp": "xllamacpp", "llama-cpp-python": "llama_cpp"}  # package -> module
_OPENAI = re.compile(r"openai:(?P<model>.+?)@(?P<url>https?://.+)")


def create_generator(settings: Settings, threads: int, stream_chat: StreamChat) -> Generator | None:
    """The generator, or None if answers shall only quote. Loads for seconds. Raises ModelError."""
    if settings.generator == EXTRACTIVE:
        return None
    if settings.generator.startswith("openai:"):
        return _openai_generator(settings, stream_chat)
    spec = find_model(settings.generator, "generator", settings.models_path)
    return _llama_generator(spec, settings, threads)


def _openai_generator(settings: Settings, stream_chat: StreamChat) -> Generator:
    parts = _OPENAI.fullmatch(settings.generator)
    if parts is None:
        message = f"FLOWCHAT_GENERATOR must look like openai:MODEL@https://HOST/v1, not '{settings.generator}'."
        raise ModelError("bad_setting", message)
    if "@" in parts["url"].partition("://")[2].partition("/")[0]:  # settings and logs show the address
        message = "FLOWCHAT_GENERATOR must not have a password in its address: set FLOWCHAT_GENERATOR_API_KEY instead."
        raise ModelError("bad_setting", message)
    return OpenAIGenerator(parts["model"], parts["url"].rstrip("/"), settings.generator_api_key, stream_chat)


def _llama_generator(spec: ModelSpec, settings: Settings, threads: int) -> Generator:
    folder = require(spec, settings.models_path)
    # Only the chosen binding is imported: each loads its own copy of llama.cpp.
    if _choose_binding(settings.llama_binding) == "llama-cpp-python":
        from flowchat.engines.generator_llama_cpp import LlamaCppGenerator

        return LlamaCppGenerator(spec, folder, threads)
    from flowchat.engines.generator_xllamacpp import XllamacppGenerator

    return XllamacppGenerator(spec, folder, threads, settings.parallel_answers)


def _choose_binding(wanted: str) -> str:
    if wanted == "auto":
        return "llama-cpp-python" if find_spec("llama_cpp") else "xllamacpp"
    if wanted not in BINDINGS:
        message = f"FLOWCHAT_LLAMA_BINDING must be auto, xllamacpp or llama-cpp-python, not '{wanted}'."
        raise ModelError("bad_setting", message)
    if find_spec(BINDINGS[wanted]) is None:
        message = f"FLOWCHAT_LLAMA_BINDING asks for {wanted}, which is not installed. Run `pip install {wanted}`."
        raise ModelError("binding_missing", message)
    return wanted
