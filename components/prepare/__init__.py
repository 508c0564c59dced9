"""Divides the shards into training and hold-out."""
