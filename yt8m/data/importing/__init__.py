"""Own videos in usual file formats, imported as a data set in YouTube-8M's format.

- `video`: a video as a source gives it, and the interface of sources.
- `source`: options of sources, and the source of all given paths.
- `labels`: labels of videos from a file of `id, labels`, and names of classes.

May import everything that `yt8m.data` may import, and its modules that do not need TensorFlow.
"""
