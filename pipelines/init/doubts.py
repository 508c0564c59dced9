"""What `prepare` would refuse or doubt about the videos of a data set, found before recipes are written."""

from collections.abc import Iterator, Sequence

from pipelines.init.recipes import count
from pipelines.init.records import check_labels
from pipelines.init.scale import Scale
from pipelines.init.shards import UNUSED
from pipelines.init.survey import Side, Survey, take_records
from yt8m import storage
from yt8m.data.checking import sides as checks
from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.partition import split_shards
from yt8m.data.read_report import ReadReport
from yt8m.data.scan import scan_shards
from yt8m.errors import DataError

# Bytes of a side's shards to read to their end. Shards of an object store are not read again.
_SCANNED_BYTES = 128 << 20
# Records of shards that are not read to their end in which to look for labels.
_CHECKED_LABELS = 200
_CHECK = "`yt8m data check` lists them."


def find_doubts(survey: Survey) -> Iterator[str]:
    """Yield a sentence for everything that may be wrong with the videos.

    Small data sets are read to their end and divided as `prepare` divides them. Of large ones, only some shards are
    read, which prove nothing about the others.

    Args:
        survey: What the data set holds.

    Raises:
        DataError: `prepare` would refuse the data set.
    """
    used = [side for name, side in survey.sides.items() if name not in UNUSED]
    yield from _damages(used)
    training, validation = (
        list(survey.sides[name].shards.uris) if name in survey.sides else [] for name in ("training", "validation")
    )
    training, holdout = split_shards(training, validation, Scale.of(survey).holdout_shards, 0)
    sizes = {uri: size for side in used for uri, size in zip(side.shards.uris, side.shards.sizes, strict=True)}
    chosen = [_within(uris, sizes) for uris in (training, holdout)]
    if not all(chosen):
        for side in used:
            check_labels(list(take_records(side.records, _CHECKED_LABELS)), survey.spec, side.shards.uris[0])
        return
    report = ReadReport(log=False)
    sides = checks.Sides(
        scan_shards(chosen[0], survey.spec, "skip", report, "training shards"),
        scan_shards(chosen[1], survey.spec, "skip", report, "hold-out shards"),
    )
    read, total = sum(map(len, chosen)), len(training) + len(holdout)
    for (name, scan), uris in zip(sides.by_name.items(), chosen, strict=True):
        if not scan.shards:
            damaged, bad = report.findings_in(uris)
            first = next(map(str, [*damaged, *bad]), f"{uris[0]}: no record")
            problem = (
                f"no usable video in {count(len(uris), 'shard')} of the {name} side. First problem: {first}. "
                f"{diagnose(report.samples, survey.spec)}".strip()
            )
            if read == total:
                raise DataError(f"--data: {problem}")
            yield f"In {read} of {total} shards, which were read: {problem}"
            return
    if left_out := sum(report.num_bad_records.values()):
        record = next(iter(report.bad_records.values()))
        yield f"{count(left_out, 'bad record')} will be left out, for instance {record}. {_CHECK}"
    try:
        yield from _as_prepare(sides, survey)
    except DataError as error:
        if read == total:
            raise DataError(f"--data: {error}") from None
        yield f"In {read} of {total} shards, which were read: {error}"


def _as_prepare(sides: checks.Sides, survey: Survey) -> Iterator[str]:
    checks.check_labels(sides, survey.spec)
    copies = checks.find_copies(sides)
    checks.check_shared_videos(sides, survey.spec)
    yield from checks.find_doubts(sides, copies, survey.spec)


def _damages(sides: Sequence[Side]) -> Iterator[str]:
    damaged = {uri: reason for side in sides for uri, reason in side.damaged.items()}
    if damaged:
        uri, reason = next(iter(damaged.items()))
        opened = sum(len(side.records) for side in sides)
        yield f"Damaged or empty shards: {len(damaged)} of {opened}, for instance {uri}: {reason}. {_CHECK}"


def _within(uris: Sequence[str], sizes: dict[str, int]) -> list[str]:
    """Return all shards of a side, or as many evenly spread ones as may be read."""
    total = sum(sizes[uri] for uri in uris)
    step = max(-(-total // _SCANNED_BYTES), 1)
    kept = [uri for uri in uris[::step] if sizes[uri] <= _SCANNED_BYTES]
    return [uri for uri in kept if not storage.is_remote(uri)]
