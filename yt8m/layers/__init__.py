"""Keras layers: one per file, on any Keras backend."""
