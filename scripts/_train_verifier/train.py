"""Training: processes of one thread each, which average their gradients after every batch (or one process on a GPU).

AdamW (Loshchilov & Hutter 2019), warm-up, constant rate, then linear decay to zero over the last part of the budget.
"""

import json
import math
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Encoding, Tokenizer
from torch import Tensor, distributed

from _train_verifier.model import LABELS, CrossEncoder, load_onnx
from _train_verifier.pairs import POOL_BATCHES, Pair, Variation, batches_of_alike_length, by_premise, mixed, varied

NOT_ENTAILMENT = len(LABELS)
WARM_UP_STEPS = 80
CHECKPOINT_EVERY_S = 120.0
REPORT_EVERY_STEPS = 20


@dataclass(frozen=True)
class Plan:
    """`pairs`: the budget, if not `minutes`. `decay_from`: share of it (0-1) after which the learning rate falls."""

    start: Path
    tokenizer: Path
    folder: Path
    minutes: float
    pairs: int | None
    processes: int
    frozen_layers: int = 6
    batch_size: int = 16
    learning_rate: float = 6.5e-5
    decay_from: float = 0.4
    max_tokens: int = 112
    seed: int = 1


def train(rank: int, plan: Plan, files: Mapping[str, Sequence[Pair]], shares: Mapping[str, float]) -> None:
    """One process's part; it ends when the plan's minutes, checkpoints of earlier runs included, are spent."""
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed + rank)
    distributed.init_process_group(
        "gloo", init_method=f"file://{plan.folder}/group-{os.getppid()}", rank=rank, world_size=plan.processes
    )
    model = load_onnx(plan.start, plan.frozen_layers, plan.seed).to(device())
    parameters = model.trained_parameters()
    optimizer = torch.optim.AdamW(parameters, lr=0.0, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    spent_s, step = restore(plan.folder, model, optimizer)
    started, saved = time.monotonic() - spent_s, time.monotonic()
    losses: list[float] = []
    for batch in training_batches(plan, files, shares, rank, step):
        loss = batch_loss(model, *batch)
        loss.backward()
        progress = average_gradients(parameters, spent(plan, step, time.monotonic() - started))
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * rate(plan, step, progress)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        losses.append(loss.item())
        if rank == 0 and step % REPORT_EVERY_STEPS == 0:
            report(step, step * plan.batch_size, time.monotonic() - started, losses, optimizer.param_groups[0]["lr"])
            losses.clear()
        if rank == 0 and (progress >= 1 or time.monotonic() - saved > CHECKPOINT_EVERY_S):
            save(plan.folder, model, optimizer, time.monotonic() - started, step)
            saved = time.monotonic()
        if progress >= 1:
            break
    distributed.destroy_process_group()


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def spent(plan: Plan, step: int, seconds: float) -> float:
    """Share (0-1) of the budget."""
    return step * plan.batch_size / plan.pairs if plan.pairs else seconds / (60 * plan.minutes)


def rate(plan: Plan, step: int, progress: float) -> float:
    """Share (0-1) of the learning rate."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return warm * max(0.0, min(1.0, (1 - progress) / (1 - plan.decay_from)))


def training_batches(
    plan: Plan, files: Mapping[str, Sequence[Pair]], shares: Mapping[str, float], rank: int, step: int
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Token ids, mask, types (batch, length) and labels (batch) of this process, without end."""
    chance = random.Random(f"{plan.seed} {rank} {step}")  # noqa: S311
    order = random.Random(f"{plan.seed} {step}")  # noqa: S311
    tokenizer = Tokenizer.from_file(str(plan.tokenizer))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    size = plan.batch_size // plan.processes
    groups = {name: by_premise(pairs)[rank :: plan.processes] for name, pairs in files.items()}
    stream = mixed(groups, shares, chance)
    others = [pair for pairs in files.values() for pair in pairs[:2000]]
    while True:
        pool: list[tuple[Pair, Encoding]] = []
        while len(pool) < size * POOL_BATCHES:
            pair = varied(next(stream), others, Variation(), chance)
            encoding = tokenizer.encode(pair.premise, pair.hypothesis)
            if len(encoding.ids) <= plan.max_tokens:
                pool.append((pair, encoding))
        for indices in batches_of_alike_length([len(encoding.ids) for _, encoding in pool], size, order):
            yield tensors([pool[index][1] for index in indices], [pool[index][0].label for index in indices])


def tensors(encodings: Sequence[Encoding], labels: Sequence[str]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    length = max(len(encoding.ids) for encoding in encodings)
    rows = [
        [part + [0] * (length - len(part)) for part in (encoding.ids, encoding.attention_mask, encoding.type_ids)]
        for encoding in encodings
    ]
    ids, mask, types = torch.tensor(rows, device=device()).unbind(1)
    known = [LABELS.index(label) if label in LABELS else NOT_ENTAILMENT for label in labels]
    return ids, mask, types, torch.tensor(known, device=device())


def batch_loss(model: CrossEncoder, ids: Tensor, mask: Tensor, types: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy; a `not_entailment` pair's is that of neutral and contradiction together."""
    logs = torch.log_softmax(model(ids, mask, types), dim=1)
    either = torch.logsumexp(logs[:, 1:], dim=1, keepdim=True)
    return -torch.cat([logs, either], dim=1).gather(1, labels[:, None]).mean()


def average_gradients(parameters: Sequence[torch.nn.Parameter], progress: float) -> float:
    """Replaces each gradient by the processes' mean; the mean of `progress`, so that all stop at the same step."""
    if distributed.get_world_size() == 1:
        return progress
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([*(gradient.flatten() for gradient in gradients), gradients[0].new_tensor([progress])])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    pieces = flat[:-1].split([gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))
    return float(flat[-1])


def report(step: int, pairs: int, seconds: float, losses: Sequence[float], learning_rate: float) -> None:
    loss = sum(losses) / len(losses)
    print(f"step {step}  {seconds / 60:.1f} min  {pairs} pairs  loss {loss:.3f}  rate {learning_rate:.2e}", flush=True)
    if not math.isfinite(loss):
        raise FloatingPointError("The loss is no number. Train with a lower learning rate.")


def save(folder: Path, model: CrossEncoder, optimizer: torch.optim.Optimizer, spent_s: float, step: int) -> None:
    """Writes a checkpoint; the one before stays whole until this one is."""
    save_file(model.state_dict(), folder / "weights.new")
    torch.save(optimizer.state_dict(), folder / "optimizer.new")
    (folder / "weights.new").replace(folder / "weights.safetensors")
    (folder / "optimizer.new").replace(folder / "optimizer.pt")
    (folder / "progress.json").write_text(json.dumps({"spent_s": spent_s, "step": step}))


def restore(folder: Path, model: CrossEncoder, optimizer: torch.optim.Optimizer) -> tuple[float, int]:
    """Takes up the checkpoint in `folder`, if there is one: seconds spent and steps made."""
    if not (folder / "progress.json").exists():
        return 0.0, 0
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    optimizer.load_state_dict(torch.load(folder / "optimizer.pt", weights_only=True))
    progress = json.loads((folder / "progress.json").read_text())
    return progress["spent_s"], progress["step"]
