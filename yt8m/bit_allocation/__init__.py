"""Automatic choice of bits: measures how sensitive a model is to few bits of each piece, and how many are enough."""
