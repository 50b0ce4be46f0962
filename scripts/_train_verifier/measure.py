"""How well a verifier tells supported claims from others, per dev set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from _train_verifier.pairs import Pair

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """At one threshold; NaN where a set has only entailed, or only other pairs."""

    pairs: int
    recall: float
    false_support: float
    auc: float

    @property
    def balanced_accuracy(self) -> float:
        return (self.recall + 1 - self.false_support) / 2


def probabilities(model: Path, tokenizer: Path, max_tokens: int, pairs: Sequence[Pair]) -> Floats:
    """Of entailment, from an ONNX verifier (INT8 or float): pair by pair on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    encoder = Tokenizer.from_file(str(tokenizer))
    encoder.no_padding()
    encoder.enable_truncation(max_tokens, strategy="only_first")
    found = []
    for pair in pairs:
        encoding = encoder.encode(pair.premise, pair.hypothesis)
        parts = (encoding.ids, encoding.attention_mask, encoding.type_ids)
        inputs = {name: np.array([part]) for name, part in zip(INPUTS, parts, strict=True)}
        exponentials = np.exp(session.run(None, inputs)[0][0])
        found.append(exponentials[0] / exponentials.sum())
    return np.array(found)


def figures(scores: Floats, entailed: npt.NDArray[np.bool_], threshold: float) -> Figures:
    shown = scores >= threshold
    return Figures(len(scores), _mean(shown[entailed]), _mean(shown[~entailed]), auc(scores, entailed))


def auc(scores: Floats, entailed: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve, by ranks (Hanley & McNeil 1982); ties count half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive, negative = int(entailed.sum()), int((~entailed).sum())
    if not positive or not negative:
        return float("nan")
    return float((ranks[entailed].sum() - positive * (positive + 1) / 2) / (positive * negative))


def table(sets: Mapping[str, Mapping[str, Figures]]) -> str:
    """Markdown: a row a set, three columns a candidate (balanced accuracy / ROC-AUC, recall, false support)."""
    candidates = list(next(iter(sets.values())))
    head = "| set | pairs |" + "".join(f" {name}: BA / AUC | recall | false |" for name in candidates)
    lines = [head, "|---|---|" + "---|---|---|" * len(candidates)]
    for name, row in sets.items():
        cells = "".join(
            f" {f.balanced_accuracy:.3f} / {f.auc:.3f} | {f.recall:.3f} | {f.false_support:.3f} |" for f in row.values()
        )
        lines.append(f"| {name} | {next(iter(row.values())).pairs} |{cells}")
    return "\n".join(lines).replace("nan", "-")


def _mean(values: npt.NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")
