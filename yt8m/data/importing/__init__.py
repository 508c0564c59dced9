"""Own videos in usual file formats, imported as a data set in YouTube-8M's format.

- `video`: a video as a source gives it, and the interface of sources.
- `source`, `options`: the source of all given paths, and the options that say how to read them.
- `readers`: reading and checking of each format.
- `labels`, `label_forms`: labels of videos from a file of `id, labels`, and the forms in which they are written.
- `vocabulary`: class numbers of labels, by the names of the classes.
- `target`: options of an import, and what the data set is to match.
- `survey`, `ranges`: the first pass over the videos, and the ranges of features that it measures.
- `dividing`: which video goes to which side and shard.
- `dataset`, `shard_files`, `output`, `report`: the second pass, which writes; the folder; what was written.

May import everything that `yt8m.data` may import, and its modules that do not need TensorFlow.
"""
