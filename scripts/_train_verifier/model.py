"""The verifier as a torch module: a BERT cross-encoder (Devlin et al. 2019) with a 3-way head on its pooled output.

Its weights are read from an INT8 ONNX file of the same architecture, turned back to float: the shipped verifier, or the
reranker that it was first made from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

LABELS = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True)
class Shape:
    """MiniLM-L12-H384 (Wang et al. 2020)."""

    vocabulary: int = 30_522
    positions: int = 512
    width: int = 384
    heads: int = 12
    inner: int = 1_536
    layers: int = 12


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.attention_out = nn.Linear(shape.width, shape.width)
        self.attention_norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.up = nn.Linear(shape.width, shape.inner)
        self.down = nn.Linear(shape.inner, shape.width)
        self.out_norm = nn.LayerNorm(shape.width, eps=1e-12)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        query, key, value = self.qkv(hidden).chunk(3, dim=-1)
        return self._attend(hidden, query, key, value, mask)

    def first_only(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """What `forward` gives at the first position, for a fraction of the work: (batch, 1, width)."""
        first, width = hidden[:, :1], self.qkv.in_features
        query = functional.linear(first, self.qkv.weight[:width], self.qkv.bias[:width])
        key, value = functional.linear(hidden, self.qkv.weight[width:], self.qkv.bias[width:]).chunk(2, dim=-1)
        return self._attend(first, query, key, value, mask)

    def _attend(self, hidden: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        split = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value))
        attended = functional.scaled_dot_product_attention(*split, attn_mask=mask).transpose(1, 2).flatten(2)
        hidden = self.attention_norm(hidden + self.attention_out(attended))
        return self.out_norm(hidden + self.down(functional.gelu(self.up(hidden))))


class CrossEncoder(nn.Module):
    """`frozen_layers`: how many of the lowest layers are not trained; the embeddings never are."""

    def __init__(self, shape: Shape, frozen_layers: int = 0) -> None:
        super().__init__()
        self.frozen_layers = frozen_layers
        self.words = nn.Embedding(shape.vocabulary, shape.width)
        self.positions = nn.Embedding(shape.positions, shape.width)
        self.types = nn.Embedding(2, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.pooler = nn.Linear(shape.width, shape.width)
        self.head = nn.Linear(shape.width, len(LABELS))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Logits (batch, 3) of token ids (batch, length); the mask is 1 where there is a token."""
        mask = attention_mask[:, None, None, :].bool()
        with torch.no_grad():
            hidden = self._embed(input_ids, token_type_ids)
            for layer in self.layers[: self.frozen_layers]:
                hidden = layer(hidden, mask)
        for layer in self.layers[self.frozen_layers : -1]:
            hidden = layer(hidden, mask)
        return self.head(torch.tanh(self.pooler(self.layers[-1].first_only(hidden, mask)[:, 0])))

    def _embed(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        return self.norm(self.words(input_ids) + self.positions(places) + self.types(token_type_ids))

    def trained_parameters(self) -> list[nn.Parameter]:
        trained = [*self.layers[self.frozen_layers :], self.pooler, self.head]
        return [parameter for module in trained for parameter in module.parameters()]


def load_onnx(path: Path, frozen_layers: int, seed: int) -> CrossEncoder:
    """The model whose INT8 weights lie in `path`. A head that is not 3-way is left out: the new one is random."""
    torch.manual_seed(seed)
    model = CrossEncoder(Shape(), frozen_layers)
    weights = dict(_onnx_weights(onnx.load(path).graph))
    if weights["head.weight"].shape[0] != len(LABELS):
        weights["head.weight"] = nn.init.normal_(torch.empty_like(model.head.weight), std=0.02)
        weights["head.bias"] = torch.zeros(len(LABELS))
    model.load_state_dict(weights)
    return model


def _onnx_weights(graph: onnx.GraphProto) -> Iterator[tuple[str, Tensor]]:
    initializers = {initializer.name: onnx.numpy_helper.to_array(initializer) for initializer in graph.initializer}

    def dequantised(name: str) -> np.ndarray:
        stem = name.removesuffix("_quantized")
        zero_point = initializers[f"{stem}_zero_point"].astype(np.float32)
        return (initializers[name].astype(np.float32) - zero_point) * initializers[f"{stem}_scale"]

    def linear(place: str) -> tuple[Tensor, Tensor]:
        (name,) = (n.input[1] for n in graph.node if n.op_type == "MatMulInteger" and re.search(place, n.name))
        (bias,) = (v for k, v in initializers.items() if re.search(place.replace("/", r"\."), k) and k.endswith("bias"))
        return torch.tensor(dequantised(name).T.copy()), torch.tensor(bias)

    def norm(name: str) -> tuple[Tensor, Tensor]:
        return torch.tensor(initializers[f"{name}.weight"]), torch.tensor(initializers[f"{name}.bias"])

    for ours, theirs in (("words", "word"), ("positions", "position"), ("types", "token_type")):
        yield f"{ours}.weight", torch.tensor(dequantised(f"bert.embeddings.{theirs}_embeddings.weight_quantized"))
    linears = {"pooler": "pooler/dense", "head": "^/?(out|classifier)/"}
    norms = {"norm": "bert.embeddings.LayerNorm"}
    for number in range(Shape().layers):
        layer = f"layer.{number}/"
        parts = [linear(rf"{layer}attention/self/{part}/") for part in ("query", "key", "value")]
        yield f"layers.{number}.qkv.weight", torch.cat([weight for weight, _ in parts])
        yield f"layers.{number}.qkv.bias", torch.cat([bias for _, bias in parts])
        linears[f"layers.{number}.attention_out"] = rf"{layer}attention/output/dense/"
        linears[f"layers.{number}.up"] = rf"{layer}intermediate/dense/"
        linears[f"layers.{number}.down"] = rf"{layer}output/dense/"
        theirs = f"bert.encoder.layer.{number}"
        norms[f"layers.{number}.attention_norm"] = f"{theirs}.attention.output.LayerNorm"
        norms[f"layers.{number}.out_norm"] = f"{theirs}.output.LayerNorm"
    for name, (weight, bias) in [(k, linear(v)) for k, v in linears.items()] + [(k, norm(v)) for k, v in norms.items()]:
        yield f"{name}.weight", weight
        yield f"{name}.bias", bias
