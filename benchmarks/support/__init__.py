"""Code that the benchmarks share: measurement of time and memory, and the published models.

Not part of the library. The generator of `docs/models.md` and the tests use the published models, too.
"""
