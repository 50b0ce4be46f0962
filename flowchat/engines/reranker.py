"""Cross-encoder scores through fastembed. Pairs are run by themselves, for the reasons given in `embedder`."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastembed.common.model_description import ModelSource
from fastembed.rerank.cross_encoder import TextCrossEncoder
from tokenizers import Tokenizer

from flowchat.engines.registry import ModelSpec
from flowchat.errors import ModelError

MAX_TOKENS = 512  # positions of the MiniLM it is made of
MAX_QUERY_TOKENS = 128


class FastembedReranker:
    """A `Reranker` whose model lies in `folder`. A long passage is cut at its end; so is a query above 128 tokens."""

    def __init__(self, spec: ModelSpec, folder: Path, threads: int) -> None:
        _register(spec)
        self._model = TextCrossEncoder(spec.name, threads=1, specific_model_path=str(folder))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rerank")
        self._query_tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._query_tokenizer.no_truncation()
        self._query_tokenizer.no_padding()
        pair_tokenizer: Tokenizer = self._model.model.tokenizer  # type: ignore[attr-defined]
        pair_tokenizer.enable_truncation(MAX_TOKENS, strategy="only_second")

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        query = self._shortened(query)

        def score(passage: str) -> float:
            try:
                return _sigmoid(next(iter(self._model.rerank(query, [passage], batch_size=1))))
            except Exception as error:  # ONNX Runtime's errors have no other base in common
                raise ModelError("reranking_failed", f"The reranker failed: {error}") from None

        return list(self._pool.map(score, passages))

    def _shortened(self, query: str) -> str:
        offsets = self._query_tokenizer.encode(query, add_special_tokens=False).offsets
        return query if len(offsets) <= MAX_QUERY_TOKENS else query[: offsets[MAX_QUERY_TOKENS - 1][1]]


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def _register(spec: ModelSpec) -> None:
    """Make the model known to fastembed, whose table of models belongs to the process."""
    if any(model["model"] == spec.name for model in TextCrossEncoder.list_supported_models()):
        return
    TextCrossEncoder.add_custom_model(spec.name, ModelSource(hf=spec.name), model_file="model.onnx")
