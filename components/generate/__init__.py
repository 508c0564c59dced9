"""Generates videos in the format of YouTube-8M."""
