"""A recipe, the graph of nodes it asks for, and that graph as a Kubeflow pipeline, here or in a cluster."""
