"""From a recipe to a directed graph of steps, and the command line that runs it."""
