"""Kubeflow pipelines: compilation, placement in a cluster, size, images, and pipelines of reruns.

Imports `graph` and `recipe`. Imported by `runs`, `local`, `cluster` and `cli`.
"""
