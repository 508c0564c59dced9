"""Training and prediction in Keras: configuration, training loop, checkpoints, learning curve, hold-out metrics.

May be imported by stages and pipelines. Imports models, losses, metrics and data, and no Keras backend.
"""
