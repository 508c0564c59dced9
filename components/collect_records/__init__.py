"""Gathers the records of several nodes."""
