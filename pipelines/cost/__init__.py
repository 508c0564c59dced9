"""What `yt8m plan` says: sizes of models, bytes read and written, hours of accelerators.

Imports `graph` and `recipe`; imported by `cli` alone.
"""
