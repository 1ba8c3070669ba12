"""Losses, the training loop, evaluation and checkpoints."""
