"""Trains many video classifiers on frame features and ships one small one."""

__version__ = "0.1.0"
