"""How far a run is, in one model for local runs and runs in a cluster.

Imported by `local`, `cluster` and `cli`.
"""
