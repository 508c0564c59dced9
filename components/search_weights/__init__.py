"""Searches the ensemble's weights."""
