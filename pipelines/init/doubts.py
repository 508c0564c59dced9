"""What `prepare` would refuse or doubt about the videos of a data set, found before recipes are written."""

from collections.abc import Iterator, Sequence

from pipelines.init.scale import Scale
from pipelines.init.shards import UNUSED
from pipelines.init.survey import Side, Survey, check_labeled
from yt8m import storage
from yt8m.data.checking import sides as checks
from yt8m.data.checking.diagnosis import diagnose
from yt8m.data.format import DataSpec
from yt8m.data.partition import split_shards
from yt8m.data.read_report import ReadReport
from yt8m.data.scan import scan_shards
from yt8m.errors import DataError
from yt8m.words import count

# Bytes of a side's shards to read to their end. Shards of an object store are not read again.
_SCANNED_BYTES = 128 << 20
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
    yield from (f"{key!r} is not among the features, because {reason}." for key, reason in survey.left_out.items())
    training, validation = (
        list(survey.sides[name].shards.uris) if name in survey.sides else [] for name in ("training", "validation")
    )
    divided = split_shards(training, validation, Scale.of(survey).holdout_shards, 0)
    sizes = {uri: size for side in used for uri, size in zip(side.shards.uris, side.shards.sizes, strict=True)}
    training, holdout = (_within(uris, sizes) for uris in divided)
    if not (training and holdout):
        for side in used:
            check_labeled(side, survey.spec)
        return
    read, total = len(training) + len(holdout), sum(map(len, divided))
    try:
        yield from _find_in(training, holdout, survey.spec)
    except DataError as error:
        if read == total:
            raise DataError(f"--data: {error}") from None
        yield f"In {read} of {total} shards, which were read: {error}"


def _find_in(training: Sequence[str], holdout: Sequence[str], spec: DataSpec) -> Iterator[str]:
    """Read shards to their end, and yield a sentence for everything that may be wrong with them.

    Raises:
        DataError: `prepare` would refuse these shards.
    """
    report = ReadReport(log=False)
    sides = checks.Sides(
        scan_shards(training, spec, "skip", report, "training shards"),
        scan_shards(holdout, spec, "skip", report, "hold-out shards"),
    )
    for (name, scan), uris in zip(sides.by_name.items(), (training, holdout), strict=True):
        if not scan.shards:
            damaged, bad = report.findings_in(uris)
            first = next(map(str, [*damaged, *bad]), f"{uris[0]}: no record")
            raise DataError(
                f"no usable video in {count(len(uris), 'shard')} of the {name} side. First problem: {first}. "
                f"{diagnose(report.samples, spec)}".strip()
            )
    if left_out := sum(report.num_bad_records.values()):
        record = next(iter(report.bad_records.values()))
        yield f"{count(left_out, 'bad record')} will be left out, for instance {record}. {_CHECK}"
    checks.check_frames(sides, spec)
    checks.check_labels(sides, spec)
    copies = checks.find_copies(sides)
    checks.check_shared_videos(sides, spec)
    yield from checks.find_doubts(sides, copies, spec)


def _damages(sides: Sequence[Side]) -> Iterator[str]:
    """Yield a sentence about damaged and empty shards, if there are any."""
    damaged = {uri: reason for side in sides for uri, reason in side.damaged.items()}
    if damaged:
        uri, reason = next(iter(damaged.items()))
        opened = sum(len(side.records) for side in sides)
        verb = "is" if len(damaged) == 1 else "are"
        yield (
            f"{count(len(damaged), 'shard')} of {opened} that were opened {verb} damaged or empty, for instance {uri}: "
            f"{reason}. {_CHECK}"
        )


def _within(uris: Sequence[str], sizes: dict[str, int]) -> list[str]:
    """Return the shards of a side that may be read: all, or evenly spread ones.

    Args:
        uris: The shards.
        sizes: Bytes of each shard.
    """
    total = sum(sizes[uri] for uri in uris)
    step = max(-(-total // _SCANNED_BYTES), 1)
    kept = [uri for uri in uris[::step] if sizes[uri] <= _SCANNED_BYTES]
    return [uri for uri in kept if not storage.is_remote(uri)]
