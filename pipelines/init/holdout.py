"""Why the hold-out of a data set cannot be divided into videos that decide and videos that give the figures."""

from collections.abc import Mapping

from pipelines.init.survey import take_records
from yt8m.data.checking.explain import explain_bad_record
from yt8m.data.checking.fields import group_of
from yt8m.data.checking.labels import any_labeled
from yt8m.data.format import DataSpec
from yt8m.words import count

# Bytes of records to read until there are videos of two groups, which nearly always the first two records are.
_READ_BYTES = 1 << 30
_DIVISIBLE = 2


def explain_indivisible(records: Mapping[str, int], spec: DataSpec) -> str:
    """Tell why hold-out videos cannot be divided into two parts that both have labels.

    Videos are divided by their group, or by their id if they have none. All records are read if there is only one, or
    as many as there is time for, evenly from the shards.

    Args:
        records: Number of records of each hold-out shard, as far as it is known.
        spec: Features, classes and layout of the videos.

    Returns:
        The reason; an empty string if they can be divided, or if there are no records to tell it.
    """
    first = list(take_records(records, len(records)))
    wanted = _READ_BYTES * len(first) // max(sum(map(len, first)), 1)
    found: set[bytes] = set()
    read = 0
    for payloads in (first, take_records(records, wanted)):
        read = 0
        for payload in payloads:
            read += 1
            key = group_of(payload, spec.layout)
            if key in found or explain_bad_record(payload, spec)[1] or not any_labeled([payload], spec):
                continue
            found.add(key)
            if len(found) == _DIVISIBLE:
                return ""
    if not found:
        return ""
    shared = "are all of one group" if spec.layout.group else "all have one id"
    return f"its labeled videos {shared} ({count(read, 'video')} looked at)"
