"""Keras layers: one per file, on any Keras backend."""

BATCH_NORM_MOMENTUM = 0.999
"""Of the moving statistics of batch normalization (the winners' code)."""
