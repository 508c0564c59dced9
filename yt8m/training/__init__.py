"""The training loop: schedule, loss, checkpoints, curves."""
