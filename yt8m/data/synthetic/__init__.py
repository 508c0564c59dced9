"""Synthetic data sets in YouTube-8M's format.

- `procedural`: videos generated from scratch, with its parts `classes` and `labels`.
- `real_means`: frames generated around the means of real videos, with its part `mean_matching`.
- `frames`, `statistics`: scenes and noise of both, and the measured statistics that both follow.
- `video`: a generated video.
- `dataset`, `presets`: the shards of a data set, and its sizes.

May import everything that `yt8m.data` may import, and its modules that do not need TensorFlow.
"""
