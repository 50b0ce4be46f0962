"""Trains the verifier. `model`, `train` and `export` need torch, which `scripts/train_verifier` brings."""
