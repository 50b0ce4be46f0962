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
    graph = onnx.load(path).graph
    is_own = any(initializer.name == "norm.weight" for initializer in graph.initializer)
    weights = dict(_own_weights(graph) if is_own else _bert_weights(graph))
    if weights["head.weight"].shape[0] != len(LABELS):
        weights["head.weight"] = nn.init.normal_(torch.empty_like(model.head.weight), std=0.02)
        weights["head.bias"] = torch.zeros(len(LABELS))
    model.load_state_dict(weights)
    return model


class _Int8Graph:
    """The weights of an INT8 graph, turned back to float."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.values = {initializer.name: onnx.numpy_helper.to_array(initializer) for initializer in graph.initializer}
        self.products = {node.name: node.input[1] for node in graph.node if node.op_type == "MatMulInteger"}

    def quantised(self, name: str) -> Tensor:
        """The float weights that `name` and its scale and zero point stand for."""
        stem = name.removesuffix("_quantized")
        zero_point = self.values[f"{stem}_zero_point"].astype(np.float32)
        return torch.tensor((self.values[name].astype(np.float32) - zero_point) * self.values[f"{stem}_scale"])

    def linear(self, place: str) -> Tensor:
        """Weights (out, in) of the one product whose name matches."""
        (name,) = (weights for product, weights in self.products.items() if re.search(place, product))
        return self.quantised(name).T.contiguous()

    def bias(self, place: str) -> Tensor:
        """The one bias whose name matches."""
        (value,) = (v for k, v in self.values.items() if re.search(place, k) and k.endswith("bias"))
        return torch.tensor(value)


def _own_weights(graph: onnx.GraphProto) -> Iterator[tuple[str, Tensor]]:
    """From a graph that `export` wrote: its names are the module's, but for the last layer's divided product."""
    int8 = _Int8Graph(graph)
    for name, value in int8.values.items():
        if re.fullmatch(r"[a-z0-9_.]+\.(?:bias|weight)", name):
            yield name, torch.tensor(value)
    for name in ("words", "positions", "types"):
        yield f"{name}.weight", int8.quantised(f"{name}.weight_quantized")
    last = Shape().layers - 1
    for number in range(Shape().layers):
        place = "/" if number == last else f"/layers.{number}/"
        for part in ("attention_out", "up", "down") if number == last else ("qkv", "attention_out", "up", "down"):
            yield f"layers.{number}.{part}.weight", int8.linear(f"^{place}{part}/MatMul")
    query, others = (int8.linear(f"^/{name}_quant$") for name in ("MatMul", "MatMul_1"))
    yield f"layers.{last}.qkv.weight", torch.cat([query, others])
    biases = {len(value): value for name, value in int8.values.items() if name.startswith("onnx::Add")}
    yield f"layers.{last}.qkv.bias", torch.tensor(np.concatenate([biases[len(query)], biases[len(others)]]))
    for name in ("pooler", "head"):
        yield f"{name}.weight", int8.quantised(f"{name}.weight_Transposed_quantized").T.contiguous()


def _bert_weights(graph: onnx.GraphProto) -> Iterator[tuple[str, Tensor]]:
    """From a graph with the names of BERT: the reranker, or flowchat-verifier-1."""
    int8 = _Int8Graph(graph)
    for ours, theirs in (("words", "word"), ("positions", "position"), ("types", "token_type")):
        yield f"{ours}.weight", int8.quantised(f"bert.embeddings.{theirs}_embeddings.weight_quantized")
    linears = {"pooler": "pooler/dense", "head": "^/?(out|classifier)/"}
    norms = {"norm": "bert.embeddings.LayerNorm"}
    for number in range(Shape().layers):
        layer = f"layer.{number}/"
        parts = [rf"{layer}attention/self/{part}/" for part in ("query", "key", "value")]
        yield f"layers.{number}.qkv.weight", torch.cat([int8.linear(part) for part in parts])
        yield f"layers.{number}.qkv.bias", torch.cat([int8.bias(part.replace("/", r"\.")) for part in parts])
        linears[f"layers.{number}.attention_out"] = rf"{layer}attention/output/dense/"
        linears[f"layers.{number}.up"] = rf"{layer}intermediate/dense/"
        linears[f"layers.{number}.down"] = rf"{layer}output/dense/"
        theirs = f"bert.encoder.layer.{number}"
        norms[f"layers.{number}.attention_norm"] = f"{theirs}.attention.output.LayerNorm"
        norms[f"layers.{number}.out_norm"] = f"{theirs}.output.LayerNorm"
    for name, place in linears.items():
        yield f"{name}.weight", int8.linear(place)
        yield f"{name}.bias", int8.bias(place.replace("/", r"\."))
    for name, place in norms.items():
        yield f"{name}.weight", torch.tensor(int8.values[f"{place}.weight"])
        yield f"{name}.bias", torch.tensor(int8.values[f"{place}.bias"])
