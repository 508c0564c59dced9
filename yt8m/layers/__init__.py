"""Keras layers, mostly one per file: poolings of frames, gates, normalization and heads.

May be imported by models, training and export. Runs on every Keras backend, so nothing here imports one.

Docstrings call Skalic and Austin, who won the second YouTube-8M challenge (2018), "the winners", and their article
"the paper".
"""

BATCH_NORM_MOMENTUM = 0.999
"""Momentum of the moving statistics of batch normalization (the winners' code); importing it does not import Keras."""
