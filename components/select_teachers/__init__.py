"""Selects a family's teachers."""
