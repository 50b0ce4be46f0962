"""What `scripts/train_verifier` runs: pairs, training, export and figures."""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import multiprocessing

from _train_verifier.export import export
from _train_verifier.measure import Figures, figures, probabilities, table
from _train_verifier.model import CrossEncoder, Shape
from _train_verifier.pairs import Pair, by_kind, read_pairs, stem
from _train_verifier.train import Plan, train
from flowchat import settings

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = ROOT / "flowchat/assets/verifier"
BASE = "ms-marco-MiniLM-L-12-v2-int8"
SHIPPED_FILES = ("model.onnx", "tokenizer.json", "config.json")
MOST_OF_A_SET = 400


def main() -> None:
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves through `daemon`, which ends the processes too
    options.out.mkdir(parents=True, exist_ok=True)
    if options.pages:
        options.extra.append(make_pairs(options, "documentation_train.jsonl.gz"))
        options.extra_dev.append(make_pairs(options, "documentation_dev.jsonl.gz", "--held-out"))
    if not options.no_training:
        run_training(options)
    model = CrossEncoder(Shape())
    model.load_state_dict(load_file(options.out / "weights.safetensors"))
    export(model, options.out)
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(SHIPPED / name, options.out)
    finish(options)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/train_verifier", description="Trains FlowChat's verifier.")
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs: train/ and dev/")
    parser.add_argument("--out", type=Path, default=ROOT / "data/verifier", help="checkpoints and result; resumed from")
    parser.add_argument("--start", default="shipped", help="shipped, base (the reranker), or an INT8 model.onnx")
    parser.add_argument("--extra", type=Path, nargs="*", default=[], help="further files of training pairs")
    parser.add_argument("--extra-dev", type=Path, nargs="*", default=[], help="further files of dev pairs")
    parser.add_argument("--pages", nargs="+", type=Path, help="folders of documentation to make pairs of")
    parser.add_argument("--mix", type=Path, default=Path(__file__).with_name("mix.toml"), help="each file's share")
    parser.add_argument("--minutes", type=float, default=75, help="of training, interrupted runs included")
    parser.add_argument("--pairs", type=int, help="to train on, instead of for --minutes")
    parser.add_argument("--processes", type=int, default=1 if torch.cuda.is_available() else os.cpu_count())
    parser.add_argument("--frozen", type=int, default=6, help="how many of the lowest layers stay as they are (0-12)")
    parser.add_argument("--rate", type=float, default=6.5e-5, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-training", action="store_true", help="only export and measure what --out has")
    return parser.parse_args()


def make_pairs(options: argparse.Namespace, name: str, *more: str) -> Path:
    """Pairs about documentation and about invented facts, kept for the next start of the same training."""
    path: Path = options.out / name
    if not path.exists():
        module = "_train_verifier.documentation_pairs"
        command = [sys.executable, "-m", module, "--pages", *map(str, options.pages), "--out", str(path), *more]
        subprocess.run(command, check=True)
    return path


def run_training(options: argparse.Namespace) -> None:
    shares = tomllib.loads(options.mix.read_text())["shares"]
    files = {stem(path): read_pairs(path) for path in sorted((options.data / "train").glob("*.jsonl*"))}
    files |= by_kind([pair for path in options.extra for pair in read_pairs(path)])
    files = {name: pairs for name, pairs in files.items() if shares.get(name)}
    for name in shares.keys() - files.keys():
        print(f"{name} is in the mix, but not among the pairs", file=sys.stderr)
    plan = Plan(
        start=start_weights(options.start), tokenizer=SHIPPED / "tokenizer.json", folder=options.out,
        minutes=options.minutes, pairs=options.pairs, processes=options.processes, frozen_layers=options.frozen,
        learning_rate=options.rate, seed=options.seed,
    )  # fmt: skip
    multiprocessing.spawn(train, (plan, files, shares), nprocs=plan.processes, daemon=True)


def start_weights(start: str) -> Path:
    """The INT8 ONNX file that training starts from."""
    if start == "base":
        path = settings.load().models_path / BASE / "model.onnx"
        if not path.exists():
            sys.exit(f"{path} is missing. Get it with: flowchat models pull")
        return path
    return SHIPPED / "model.onnx" if start == "shipped" else Path(start)


def finish(options: argparse.Namespace) -> None:
    """Says how good the exported model is beside the shipped one and beside itself before it was made INT8."""
    paths = [*sorted((options.data / "dev").glob("*.jsonl*")), *options.extra_dev]
    chance = random.Random(options.seed)  # noqa: S311
    sets = {stem(path): read_pairs(path) for path in paths}
    sets = {name: chance.sample(pairs, min(MOST_OF_A_SET, len(pairs))) for name, pairs in sets.items()}
    models = {
        "shipped": SHIPPED / "model.onnx",
        "new": options.out / "model.onnx",
        "new, float": options.out / "float.onnx",
    }
    max_tokens = json.loads((SHIPPED / "config.json").read_text())["max_length"]
    threshold = settings.load().verify_threshold
    text = table({name: measured(models, pairs, max_tokens, threshold) for name, pairs in sets.items()})
    (options.out / "figures.md").write_text(text + "\n")
    print(text)
    for name in SHIPPED_FILES:
        content = (options.out / name).read_bytes()
        print(f'name = "{name}"\nbytes = {len(content)}\nsha256 = "{hashlib.sha256(content).hexdigest()}"')


def measured(
    models: Mapping[str, Path], pairs: Sequence[Pair], max_tokens: int, threshold: float
) -> dict[str, Figures]:
    entailed = np.array([pair.label == "entailment" for pair in pairs])
    return {
        name: figures(probabilities(path, SHIPPED / "tokenizer.json", max_tokens, pairs), entailed, threshold)
        for name, path in models.items()
    }


if __name__ == "__main__":
    main()
