"""Trainings with all their values, as steps resolve them."""

from typing import Any

from yt8m.training.config import ResolvedTraining


def resolved(**changes: Any) -> ResolvedTraining:
    """Return a training with the paper's values, except some."""
    paper: dict[str, Any] = {"epochs": 10, "batch_size": 80, "learning_rate": 2e-4, "decay_examples": 4_000_000}
    paper |= {"batch_norm_momentum": 0.999, "initial_bias": "zero", "memory_bytes": 512 << 20}
    return ResolvedTraining(**paper | changes)
