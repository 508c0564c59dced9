"""Averages a model's weights over further training."""
