"""Sentence embeddings through fastembed.

Each passage is run by itself: the INT8 weights quantise activations by the range of the whole batch, so that in a batch
the vector of a passage depends on its neighbours (cosine down to 0.98), and nothing is spent on padding. As many run
side by side as there are threads, each on one: that takes a fifth less time than one after the other on all of them.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from tokenizers import Tokenizer

from flowchat.engines.protocols import Vectors
from flowchat.engines.registry import ModelSpec
from flowchat.errors import ModelError

MAX_KNOWN_WORDS = 50_000  # whose tokens are remembered: about 5 MB
MAX_KNOWN_CHARS = 40  # of such a word: languages without spaces have endless ones
_POOLING = {"cls": PoolingType.CLS, "mean": PoolingType.MEAN}


class FastembedEmbedder:
    """An `Embedder` whose model lies in `folder`; unit length. Texts longer than the model reads are cut."""

    def __init__(self, spec: ModelSpec, folder: Path, threads: int) -> None:
        self.name = spec.name
        self.dims = spec.dims
        self._query_prefix = spec.query_prefix
        self._passage_prefix = spec.passage_prefix
        _register(spec)
        self._model = TextEmbedding(spec.name, threads=1, specific_model_path=str(folder))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="embed")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._tokens_of: dict[str, int] = {}

    def embed_query(self, query: str) -> Vectors:
        return self._embed_one(self._query_prefix + query)

    def embed_passages(self, passages: Sequence[str]) -> Vectors:
        vectors = np.empty((len(passages), self.dims), np.float32)
        texts = [self._passage_prefix + passage for passage in passages]
        for row, vector in enumerate(self._pool.map(self._embed_one, texts)):
            vectors[row] = vector
        return vectors

    def _embed_one(self, text: str) -> Vectors:
        try:
            return np.asarray(next(iter(self._model.embed([text], batch_size=1))), np.float32)
        except Exception as error:  # ONNX Runtime's errors have no other base in common
            raise ModelError("embedding_failed", f"The embedder failed: {error}") from None

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokenizers read each word by itself, so the tokens of a text are those of its words, which are few."""
        if len(self._tokens_of) >= MAX_KNOWN_WORDS:
            self._tokens_of = {}
        return [sum(map(self._count_word, text.split())) for text in texts]

    def _count_word(self, word: str) -> int:
        count = self._tokens_of.get(word)
        if count is None:
            count = len(self._tokenizer.encode(word, add_special_tokens=False))
            if len(word) <= MAX_KNOWN_CHARS:
                self._tokens_of[word] = count
        return count


def _register(spec: ModelSpec) -> None:
    """Make the model known to fastembed, whose table of models belongs to the process."""
    if any(model["model"] == spec.name for model in TextEmbedding.list_supported_models()):
        return
    TextEmbedding.add_custom_model(
        spec.name, _POOLING[spec.pooling], True, ModelSource(hf=spec.name), spec.dims, model_file="model.onnx"
    )
