"""The recipe: reading YAML, filling in defaults, checking everything.

Imports only `pipelines.stages` and the library; every other part of `pipelines` may import it.
"""
