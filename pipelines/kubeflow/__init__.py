"""A graph as a Kubeflow pipeline: compiling, placement in a cluster, size, and changes to a compiled pipeline.

Imports `graph` and `recipe`. Imported by `runs`, `local`, `cluster` and `cli`.
"""
