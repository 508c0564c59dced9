"""Import of own videos as a data set in YouTube-8M's format."""

from collections.abc import Mapping
from pathlib import Path

from yt8m import storage
from yt8m.data.description import DatasetDescription, Imported
from yt8m.data.encoding import FrameBuffer, encode_video
from yt8m.data.format import GROUP_KEY, WEIGHT_KEY, DataSpec, quantize
from yt8m.data.importing.dividing.plan import ShardPlan, plan_shards
from yt8m.data.importing.labels import LabelTable
from yt8m.data.importing.output import find_dataset, publish_dataset
from yt8m.data.importing.report import ImportReport
from yt8m.data.importing.shard_files import ShardFiles
from yt8m.data.importing.survey import ClassNumbers, ContentDigest, LabeledVideos, Survey, cut_frames, num_frames
from yt8m.data.importing.target import DEFAULT_SPLIT, ImportConfig, Target
from yt8m.data.importing.video import VideoSource
from yt8m.data.importing.vocabulary import Vocabulary
from yt8m.data.shards import is_complete
from yt8m.data.vocabulary.files import VOCABULARY_NAME, write_vocabulary
from yt8m.errors import DataError
from yt8m.progress import progress

# Share of a feature's values that are clipped, or share two bytes, from which a given range is refused.
_USELESS_SHARE = 0.95


def import_dataset(
    source: VideoSource,
    labels: LabelTable | None,
    config: ImportConfig,
    output_uri: str,
    *,
    dry_run: bool = False,
    target: Target | None = None,
    groups: LabelTable | None = None,
    weights: LabelTable | None = None,
) -> ImportReport:
    """Write videos as shards `train####.tfrecord`, `validate####.tfrecord` and `test####.tfrecord`.

    Every video becomes a `SequenceExample` with `id`, `labels` and a list of bytes per feature. A video with one vector
    is a video of one frame: YouTube-8M's video-level records hold floats, which readers would quantize to the same
    bytes. Without labels, all videos are in test shards. If only some videos have no labels, these are in
    `unlabeled-test####.tfrecord`.

    The videos are read twice: to measure and count, then to write. Ids stay on the disk; memory grows by about 70 bytes
    a video. The folder appears with all shards, `vocabulary.csv` and `dataset.json`, or not at all. The order of the
    videos, the seed and the options determine all bytes.

    Args:
        source: Videos.
        labels: Labels by id, instead of those of the source; None if there is no such file.
        config: Options of the import.
        output_uri: Folder for the shards.
        dry_run: Whether to write nothing.
        target: Features and classes of `config`, if they were read before.
        groups: Groups by id, instead of those of the source; None if there is no such file.
        weights: Weights by id, instead of those of the source; None if there is no such file.

    Returns:
        What was written, or would be. If the folder already has this data set, nothing is written.

    Raises:
        DataError: A video or label cannot be used, there are too few videos, or the folder holds something else.
        StorageError: A file cannot be read or written.
    """
    found = find_dataset(output_uri)
    target = target or Target.of(config)
    features = target.features_in_order(source.features)
    videos = LabeledVideos(source, labels, groups, weights)
    survey, names, num_classes = _survey(videos, labels, config, target)
    shares = config.split or (DEFAULT_SPLIT if survey.has_labels else {"test": 1.0})
    plan = plan_shards(
        survey, features, num_classes, shares, seed=config.seed, videos_per_shard=config.videos_per_shard
    )
    ranges = {name: survey.measured[name].limits for name in features}
    described = {"features": features, "num_classes": num_classes, "max_frames": survey.longest}
    layout = {"group": GROUP_KEY} if survey.num_groups else {}
    layout |= {"weight": WEIGHT_KEY} if survey.has_weights else {}
    spec = DataSpec.parse(described | {"ranges": ranges, "layout": layout}, "data import")
    _refuse_useless_ranges(survey, config, target)
    description = DatasetDescription(
        data=spec,
        seed=config.seed,
        videos=plan.videos,
        shards=plan.shards,
        vocabulary=VOCABULARY_NAME if names else "",
        imported=Imported(
            sources=config.sources,
            clipped={name: survey.measured[name].clipped for name in features},
            split=shares,
            groups=survey.num_groups,
            validation_groups=plan.validation_groups,
            content=survey.content,
        ),
    )
    report = ImportReport.of(description, survey, plan, labels)
    if found:
        if difference := found.difference(_renamed(description, found)):
            raise DataError(f"--out: {output_uri} holds another data set: {difference}. Give a new folder.")
        if _is_whole(output_uri, found, plan):
            return report.model_copy(update={"was_complete": True})
    if not dry_run:
        with publish_dataset(output_uri, description) as folder:
            limit = config.max_frames
            _write_shards(folder, output_uri, videos, max_frames=limit, survey=survey, plan=plan, spec=spec)
            if names:
                # Every class has a row, also those that the vocabulary of the import leaves out.
                rows = {number: names.get(number, "") for number in range(spec.num_classes)}
                write_vocabulary(folder / VOCABULARY_NAME, rows)
    return report


def _survey(
    source: LabeledVideos, labels: LabelTable | None, config: ImportConfig, target: Target
) -> tuple[Survey, Mapping[int, str], int]:
    """Read all videos; return what is known about them, the names of the classes and their number."""
    vocabulary = target.vocabulary
    if labels and not labels.has_labels:
        raise DataError(
            f"--labels: expected labels, received only empty ones for {len(labels)} videos. Name their column by "
            "--labels-column, or leave --labels out to import videos for predictions."
        )
    if labels and labels.is_named and not vocabulary:
        vocabulary = Vocabulary.of(labels.names)
    numbers = ClassNumbers(vocabulary, target.num_classes)
    with progress("Reading videos", None) as advance:
        survey = Survey(source, numbers, ranges=target.ranges, max_frames=config.max_frames, advance=advance)
    if not survey.videos:
        raise DataError("SOURCE: no video in it. Give files or folders with videos.")
    if labels and not survey.matched:
        example = next(iter(source)).id
        raise DataError(
            f"--labels: none of its {len(labels)} ids is the id of a video. Its first id is '{labels.first}', and the "
            f"first of {survey.videos} videos is '{example}'. The id of a file is its name without ending. Correct the "
            "ids of one of the two, or name the columns with them by --id-column."
        )
    largest = max(int(survey.classes.max(initial=0)), labels.largest if labels else 0)
    if survey.names and not target.vocabulary:
        largest = max(survey.names)
    num_classes = target.num_classes or largest + 1
    names = survey.names
    if not names and survey.has_labels:
        names = {number: str(number) for number in range(num_classes)}
    return survey, names, num_classes


def _refuse_useless_ranges(survey: Survey, config: ImportConfig, target: Target) -> None:
    """Refuse given ranges under which the bytes of a feature say nothing."""
    for name, measured in survey.measured.items():
        share = max(measured.clipped, measured.shared)
        if name not in target.ranges or share < _USELESS_SHARE:
            continue
        option = "--like" if config.like else "--range"
        low, high = measured.limits
        what = "are outside the range" if measured.clipped >= _USELESS_SHARE else "become one or two of the 256 bytes"
        remedy = "Import features of the same kind" if config.like else "Give the range of the values"
        raise DataError(
            f"{option}: {name}: {share:.1%} of the values {what}, {low:g} to {high:g}. "
            f"{remedy}, or leave {option} out to measure it."
        )


def _is_whole(uri: str, description: DatasetDescription, plan: ShardPlan) -> bool:
    """Return whether a folder has all files of a data set."""
    if description.vocabulary and not storage.exists(storage.join(uri, description.vocabulary)):
        return False
    sizes = zip(plan.names, plan.sizes, strict=True)
    return all(is_complete(storage.join(uri, name), size) for name, size in sizes)


def _renamed(description: DatasetDescription, found: DatasetDescription) -> DatasetDescription:
    """Return a description with another one's names of the source files, which may be written in several ways.

    It also says no more of groups than the other one, which may come from an earlier version.
    """
    assert description.imported
    assert found.imported
    changes: dict[str, object] = {"sources": found.imported.sources}
    if not found.imported.validation_groups:
        changes["validation_groups"] = 0
    imported = description.imported.model_copy(update=changes)
    return description.model_copy(update={"imported": imported})


def _write_shards(
    folder: Path,
    place: str,
    source: LabeledVideos,
    *,
    max_frames: int | None,
    survey: Survey,
    plan: ShardPlan,
    spec: DataSpec,
) -> None:
    """Read the videos again and append each to its shard."""
    changed = DataError("SOURCE: the files changed while they were read. Import them again.")
    buffers = {name: FrameBuffer(name, size, spec.max_frames) for name, size in spec.features.items()}
    ranges = {name: spec.range_of(name) for name in spec.features}
    digest = ContentDigest()
    first = number = 0
    with ShardFiles(folder, place) as files, progress("Writing videos", survey.videos) as advance:
        for number, full in enumerate(source, 1):
            video = cut_frames(full, max_frames)
            T = num_frames(video)
            if number > survey.videos or spec.max_frames < T:
                raise changed
            digest.add(video)
            for name, buffer in buffers.items():
                buffer.frames(T)[:] = quantize(video.features[name], *ranges[name])
            end = first + int(survey.class_counts[number - 1])
            classes = survey.classes[first:end].tolist()
            group = full.group.encode("utf-8", "surrogatepass")
            record = encode_video(full.id.encode(), classes or None, T, buffers.values(), group, weight=full.weight)
            files.write(plan.names[plan.places[number - 1]], record)
            first = end
            advance()
    if digest.hexdigest() != survey.content:
        raise changed
