"""Runs on Kubeflow Pipelines: submitting, watching, rerunning.

Imports everything below `cli` except `local`.
"""
