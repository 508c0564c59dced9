"""From a recipe to a graph of nodes, to a Kubeflow pipeline, and the command line that runs it here or in a cluster."""
