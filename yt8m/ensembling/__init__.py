"""Ensembles of models: scoring, choice of members and search for weights, from stored hold-out predictions.

Imported by the stages; imports neither Keras nor TensorFlow.
"""
