"""The graph of a run: named nodes, what each reads, and the key of each node's work.

Knows recipes, but nothing of Kubeflow. Imported by `kubeflow`, `cost` and what is above them.
"""
