"""Division of the videos of an import: which video goes to which side and shard.

- `units`: what stays on one side, single videos or groups of videos.
- `split`: the side of every unit.
- `plan`: the shard of every video.
"""
