"""From a trained model to the INT8 ONNX file that `flowchat.engines.verifier` runs."""

import warnings
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from _train_verifier.measure import INPUTS
from _train_verifier.model import CrossEncoder

OPSET = 17


def export(model: CrossEncoder, folder: Path) -> None:
    """Writes float.onnx and model.onnx (INT8 weights, per channel; activations are quantised as they come)."""
    _write_float(model, folder / "float.onnx")
    quantize_dynamic(folder / "float.onnx", folder / "model.onnx", per_channel=True, weight_type=QuantType.QInt8)


def _write_float(model: CrossEncoder, path: Path) -> None:
    example = tuple(torch.ones(2, 24, dtype=torch.long) for _ in INPUTS)
    axes = {name: {0: "batch", 1: "length"} for name in INPUTS} | {"logits": {0: "batch"}}
    with warnings.catch_warnings():
        # The newer exporter needs a further package, and gives the same graph.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model.cpu().eval(), example, path, input_names=list(INPUTS), output_names=["logits"], dynamic_axes=axes,
            opset_version=OPSET, dynamo=False,
        )  # fmt: skip
