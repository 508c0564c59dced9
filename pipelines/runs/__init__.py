"""State of a run's nodes, in one model for local runs and runs in a cluster.

May import `kubeflow`, `cost` and everything below them. `local`, `cluster` and `cli` import it.
"""
