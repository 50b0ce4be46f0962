"""llama.cpp through llama-cpp-python: one context, so one answer at a time, first come first served.

The context keeps the tokens of its last prompt, so that a prompt with the same beginning is read from there on only.
"""

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from llama_cpp import Llama, StoppingCriteriaList
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from flowchat.engines.bridge import Emit, stream_from_thread
from flowchat.engines.chat_markup import defused
from flowchat.engines.priority import lower_priority
from flowchat.engines.protocols import GenerationUsage
from flowchat.engines.registry import ModelSpec
from flowchat.errors import ModelError

CONTEXT_TOKENS = 2048  # prompt and answer together
BATCH_TOKENS = 128


class LlamaCppGenerator:
    """A `Generator` whose model lies in `folder`."""

    is_remote = False

    def __init__(self, spec: ModelSpec, folder: Path, threads: int) -> None:
        self.name = spec.name
        try:
            self._model: Any = Llama(
                str(folder / "model.gguf"),
                n_ctx=CONTEXT_TOKENS,
                n_batch=BATCH_TOKENS,
                n_ubatch=BATCH_TOKENS,
                n_threads=threads,
                n_threads_batch=threads,
                verbose=False,
            )
        except ValueError as error:
            raise ModelError("model_load_failed", f"llama.cpp cannot load {folder / 'model.gguf'}: {error}") from None
        self._format: Any = Jinja2ChatFormatter(
            self._model.metadata["tokenizer.chat_template"],
            eos_token=self._token_text(self._model.token_eos()),
            bos_token=self._token_text(self._model.token_bos()),
        )
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="generate", initializer=lower_priority)

    def _token_text(self, token: int) -> str:
        return str(self._model.detokenize([token], special=True).decode()) if token >= 0 else ""

    def generate(
        self, messages: Sequence[dict[str, str]], *, max_tokens: int, usage: GenerationUsage
    ) -> AsyncIterator[str]:
        return stream_from_thread(self._pool, partial(self._complete, defused(messages), max_tokens, usage))

    def _complete(self, messages: list[dict[str, str]], max_tokens: int, usage: GenerationUsage, emit: Emit) -> None:
        text = self._format(messages=messages).prompt
        prompt = self._model.tokenize(text.encode(), add_bos=False, special=True)

        def count_and_check(tokens: Sequence[int], _logits: object) -> bool:
            usage.tokens_out = len(tokens) - len(prompt) + 1  # the newest is not among them yet
            return emit("")

        if emit(""):
            return
        usage.tokens_in = len(prompt)
        try:
            chunks = self._model.create_completion(
                prompt,
                max_tokens=max_tokens,
                temperature=0,
                stream=True,
                stopping_criteria=StoppingCriteriaList([count_and_check]),
            )
            for chunk in chunks:
                emit(chunk["choices"][0]["text"])
        except (RuntimeError, ValueError) as error:
            raise ModelError("generation_failed", f"The model '{self.name}' could not answer: {error}") from None

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._model.close()
