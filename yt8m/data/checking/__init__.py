"""Checks of shards: statistics, defects, the two sides, and what records of other layouts hold.

- `check`, `report`: statistics and defects of shards, for `yt8m data check`.
- `sides`: labels, copies and videos on both sides of a partition, for `prepare`.
- `explain`: reasons why records are not usable videos.
- `diagnosis`: what bad records have, and the settings that read them.
- `settings`: options of commands and the line of a recipe that read records of another layout.
- `labels`: labels under other keys, or of other forms, than the expected ones.
- `fields`, `numbers`, `layout`: fields of records, numbers that can be labels, and the format that fits the records.
- `floats`: ranges of features that are stored as floats.

May import the modules of `yt8m.data` and what those may import. `report` does not import TensorFlow.
"""
