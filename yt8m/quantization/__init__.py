"""Quantization of weights to 2 to 8 bits: methods, quantization errors, choice of bits, and model files.

Uses NumPy only. Imported by `yt8m.models`, `yt8m.export` and the stages.

Reference: section 3.2 of "Building a Size Constrained Predictive Model for Video Classification".
"""
