"""Recipes and cluster settings: schema, defaults, validation, loading.

Imports only `pipelines.stages` and the library; every other part of `pipelines` may import it.
"""
