"""Weights in 8 or 16 bits: methods, their errors, and model files that hold them. NumPy only.

Reference: section 3.2 of "Building a Size Constrained Predictive Model for Video Classification".
"""
