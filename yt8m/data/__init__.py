"""Videos in TFRecord shards: their format, reading, checking, partition and soft targets.

- `format`: features, classes and length of the videos; quantization of features to bytes.
- `description`, `vocabulary`: what shards hold, and the names of their classes, from files beside them.
- `tfrecord`, `encoding`, `shards`: framing of TFRecord files, records and shards, without TensorFlow.
- `parsing`: parse a record into a video.
- `stream`, `reading`, `read_report`: read shards as batches of videos, and report bad data.
- `checking`: statistics and defects of shards, reasons of bad records, and what records of other layouts hold.
- `partition`, `scan`: the split into training and hold-out shards, and the counts in it.
- `known_videos`: which of the videos to measure a run has read before.
- `soft_targets`, `soft_target_manifest`: teachers' predictions, stored in sidecars beside the shards.
- `synthetic`: generated data sets.

May import `yt8m.predictions`, `yt8m.holdout`, `yt8m.storage`, `yt8m.progress`, `yt8m.config` and `yt8m.errors`. Layers
and everything above them may import it. `format`, `description`, `vocabulary`, `tfrecord`, `partition`, `read_report`,
`checking.report`, `soft_target_manifest` and `synthetic` do not import TensorFlow, so that checking a recipe takes only
a moment.
"""
