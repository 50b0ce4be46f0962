"""llama.cpp through the xllamacpp wheel: its C++ server in this process, with one slot for each parallel answer.

A slot keeps the tokens of its last prompt, so that a prompt with the same beginning is read from there on only.
"""

import tempfile
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import xllamacpp

from flowchat.engines.bridge import Emit, stream_from_thread
from flowchat.engines.chat_markup import defused
from flowchat.engines.priority import lower_priority
from flowchat.engines.protocols import GenerationUsage
from flowchat.engines.registry import ModelSpec
from flowchat.errors import ModelError

CONTEXT_TOKENS = 2048  # a slot: prompt and answer together
BATCH_TOKENS = 128  # read at a time: other answers go on, and a closed one stops, between two batches
QUIET = -1  # llama.cpp's verbosity that logs nothing


class XllamacppGenerator:
    """A `Generator` whose model lies in `folder`; writes up to `parallel` answers at once, more wait for their turn."""

    is_remote = False

    def __init__(self, spec: ModelSpec, folder: Path, threads: int, parallel: int) -> None:
        self.name = spec.name
        # llama.cpp's threads have the priority of the thread that starts them.
        with ThreadPoolExecutor(1, initializer=lower_priority) as starter:
            self._server: Any = starter.submit(_start_server, folder / "model.gguf", threads, parallel).result()
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="generate")

    def generate(
        self, messages: Sequence[dict[str, str]], *, max_tokens: int, usage: GenerationUsage
    ) -> AsyncIterator[str]:
        request = {
            "messages": defused(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "timings_per_token": True,
            "return_progress": True,
        }
        return stream_from_thread(self._pool, partial(self._complete, request, usage))

    def _complete(self, request: dict[str, Any], usage: GenerationUsage, emit: Emit) -> None:
        errors: list[str] = []

        def on_chunk(chunk: dict[str, Any]) -> bool:
            if "error" in chunk:
                errors.append(chunk["error"]["message"])
                return True
            if timings := chunk.get("timings"):
                usage.tokens_in = timings["cache_n"] + timings["prompt_n"]
                usage.tokens_out = timings["predicted_n"]
            return emit("".join(choice["delta"].get("content") or "" for choice in chunk["choices"]))

        if emit(""):
            return
        try:
            self._server.handle_chat_completions(request, on_chunk)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise ModelError("generation_failed", f"The model '{self.name}' could not answer: {error}") from None
        if errors:
            raise ModelError("generation_failed", f"The model '{self.name}' could not answer: {errors[0]}.")

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._server = None  # its destructor ends llama.cpp's threads


def _start_server(model: Path, threads: int, parallel: int) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_parallel = parallel
    params.n_ctx = CONTEXT_TOKENS * parallel
    params.n_batch = params.n_ubatch = BATCH_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = 0  # else up to 8 GB of former prompts
    params.n_threads_http = 1
    params.verbosity = QUIET
    # It insists on listening: on a socket that nobody else can reach, and whose name is gone once it listens.
    with tempfile.TemporaryDirectory(prefix="flowchat-") as private:
        params.hostnames = [str(Path(private) / "llama.sock")]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ModelError("model_load_failed", f"llama.cpp cannot load {model}: {error}") from None
