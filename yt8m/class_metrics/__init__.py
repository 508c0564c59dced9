"""Metrics of single classes, which need the scores of all videos.

- `scores`: the scores, in a temporary file.
- `figures`: average precision, and precision and recall at the threshold with the best F1.
"""
