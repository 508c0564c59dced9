"""Names of classes.

- `files`: vocabularies, which are text files and CSV files with a name for each class.
- `names`: the names of the classes of a model or data set, as everything shows them that people read.
"""
