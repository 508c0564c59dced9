"""Automatic choice of bits: measures how sensitive a model is to few bits of each variable, and how many are enough."""
