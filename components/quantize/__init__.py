"""Stores a model's large weights in 8 bits."""
