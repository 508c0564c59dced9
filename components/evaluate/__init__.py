"""Measures a model on the hold-out videos."""
