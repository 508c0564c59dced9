"""Runs on Kubeflow Pipelines: the client, the state of a run, and reruns.

May import everything below `cli` except `local`.
"""
