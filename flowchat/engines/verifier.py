"""Entailment probabilities from a cross-encoder, through ONNX Runtime.

Pairs are run by themselves, for the reasons given in `embedder`. Labels, longest input and input names are in the
model's config.json.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from flowchat.errors import ModelError

MIN_PREMISE_TOKENS = 16
SPECIAL_TOKENS = 3  # [CLS] premise [SEP] hypothesis [SEP]


class OnnxVerifier:
    """A `Verifier` whose model lies in `folder`.

    A long premise is cut at its end. A hypothesis so long that hardly any premise would fit beside it gets 0.0:
    cut, only a part of it would have been verified.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        config = json.loads((folder / "config.json").read_text())
        self._entailment_index: int = config["labels"].index("entailment")
        self._max_hypothesis_tokens: int = config["max_length"] - SPECIAL_TOKENS - MIN_PREMISE_TOKENS
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(config["max_length"], strategy="only_first")
        self._hypothesis_tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._hypothesis_tokenizer.no_truncation()
        self._hypothesis_tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def entailment(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return list(self._pool.map(self._probability, *zip(*pairs, strict=True))) if pairs else []

    def _probability(self, premise: str, hypothesis: str) -> float:
        tokens = len(self._hypothesis_tokenizer.encode(hypothesis, add_special_tokens=False).ids)
        if tokens > self._max_hypothesis_tokens:
            return 0.0
        encoding = self._tokenizer.encode(premise, hypothesis)
        inputs = {
            "input_ids": np.array([encoding.ids]),
            "attention_mask": np.array([encoding.attention_mask]),
            "token_type_ids": np.array([encoding.type_ids]),
        }
        try:
            logits = self._session.run(None, inputs)[0][0]
        except Exception as error:  # ONNX Runtime's errors have no other base in common
            raise ModelError("verification_failed", f"The verifier failed: {error}") from None
        exponentials = np.exp(logits - logits.max())
        return float(exponentials[self._entailment_index] / exponentials.sum())
