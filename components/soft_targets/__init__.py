"""Predicts soft targets with teachers."""
