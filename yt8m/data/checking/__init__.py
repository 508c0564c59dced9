"""Checks of shards: statistics, defects, the two sides, and what records of other layouts hold.

- `check`, `report`: statistics and defects of shards, for `yt8m data check`.
- `sides`: labels, copies and videos on both sides of a partition, for `prepare`.
- `explain`: reasons why records are not usable videos.
- `diagnosis`: what bad records have, and the settings that read them.
- `layout`: fields of records, and the format that fits them.

May import the modules of `yt8m.data` and what those may import. `report` does not import TensorFlow.
"""
