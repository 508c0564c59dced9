"""Trains one model."""
