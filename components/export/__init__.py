"""Exports the ensemble as one TensorFlow model."""
