"""The figures of `yt8m plan`: sizes of models, bytes read and written, hours on GPUs, duration of a run.

Imports `graph` and `recipe`; imported by `cli` and `init`.
"""
