"""Description of a data set: the file `dataset.json` beside its shards."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import NonNegativeInt, model_validator

from yt8m import storage
from yt8m.config import Config, ConfigFile
from yt8m.data.format import DataSpec, RecordLayout
from yt8m.errors import ConfigError, DataError
from yt8m.yaml_files import dump_line

DESCRIPTION_NAME = "dataset.json"

# Keys that format 1, in which all data sets were generated, had at the top.
_GENERATION_KEYS_OF_FORMAT_1 = frozenset({"preset", "missing_share", "means", "class_kinds"})


class Generation(Config):
    """How a synthetic data set was generated; with `data` and `seed` it determines the bytes of the shards.

    Attributes:
        version: Version of the generator; a new version gives other bytes for the same configuration.
        preset: Name of the preset.
        missing_share: Share of the labels that are missing; None with real labels.
        means: File name, number of videos and digest of the file of real means; None for procedural videos.
        class_kinds: Classes by kind of evidence; empty with real means.
    """

    version: int
    preset: str
    missing_share: float | None
    means: Mapping[str, Any] | None
    class_kinds: Mapping[str, tuple[NonNegativeInt, ...]]


class Imported(Config):
    """Where the videos of an imported data set come from, and how they were divided.

    Attributes:
        sources: Files and folders that were imported, as they were given.
        clipped: Share of the values outside the range, by feature. Bytes clip them.
        split: Share of the labeled videos that each side was to get.
        groups: Number of groups that were kept on one side; 0 without groups.
        validation_groups: Number of groups on the validation side; 0 without groups, or if it is not known.
        content: Digest of the videos with their labels and groups.
    """

    sources: tuple[str, ...]
    clipped: Mapping[str, float] = {}
    split: Mapping[str, float] = {}
    groups: int = 0
    validation_groups: int = 0
    content: str = ""


class DatasetDescription(ConfigFile):
    """What the shards of a data set hold, and where it comes from.

    Attributes:
        format: Version of this description.
        data: Features, classes, length of the longest video, and ranges of the features' bytes.
        seed: Random seed of the data set: of its videos if they are generated, of the split if they are imported.
        videos: Number of videos, by split.
        shards: Number of shards, by split.
        vocabulary: Name of the file with the names of the classes, beside the shards; empty if there is none.
        generation: How the videos were generated; None if they were not.
        imported: Where the videos were imported from; None if they were not.
    """

    format: Literal[2] = 2
    data: DataSpec
    seed: int
    videos: Mapping[str, int]
    shards: Mapping[str, int]
    vocabulary: str = ""
    generation: Generation | None = None
    imported: Imported | None = None

    @model_validator(mode="after")
    def _classes_exist(self) -> Self:
        for kind, classes in self.class_kinds.items():
            if max(classes, default=0) >= self.data.num_classes:
                raise ValueError(f"class_kinds.{kind}: class {max(classes)} is not one of {self.data.num_classes}")
        return self

    @property
    def class_kinds(self) -> Mapping[str, tuple[int, ...]]:
        """Classes by kind of evidence; empty if the videos have no kinds."""
        return self.generation.class_kinds if self.generation else {}

    def difference(self, wanted: Self) -> str:
        """Tell in which respects this data set is another one than a wanted one; empty if it is the same."""
        here, there = (dict(_facts(each.model_dump(mode="json"))) for each in (self, wanted))
        differing = [key for key in {**there, **here} if here.get(key) != there.get(key)][:5]  # the first say enough
        return "; ".join(f"{key} {here.get(key)!r} instead of {there.get(key)!r}" for key in differing) or (
            "" if self == wanted else "made by another version"
        )

    @classmethod
    def parse_json(cls, text: str, source: str) -> Self:
        """Validate a JSON text, also one of format 1."""
        return super().parse_json(_without_format_1(text), source)

    @classmethod
    def in_folder(cls, uri: str) -> Self | None:
        """Read the description in a folder of shards; return None if there is none.

        Raises:
            ConfigError: The file has another content.
            StorageError: The file cannot be read.
        """
        place = storage.join(uri, DESCRIPTION_NAME)
        if not storage.exists(place):
            return None
        try:
            # Binary content is reported as invalid JSON.
            return cls.parse_json(storage.read_bytes(place).decode("utf-8", "replace"), place)
        except ConfigError as error:
            raise ConfigError(
                f"{error}\n{place}: not a description of the shards beside it, for which this name is reserved. Rename "
                "the file if it belongs to something else. Otherwise write the data set again into an empty folder."
            ) from None

    @classmethod
    def of_shard(cls, uri: str) -> Self | None:
        """Read the description of a shard's data set like `in_folder`; return None if the data set has none."""
        return cls.in_folder(storage.folder_of(uri))


def descriptions_of(uris: Iterable[str]) -> dict[str, DatasetDescription]:
    """Read the descriptions beside shards, by folder; folders without one are left out.

    Raises:
        ConfigError: A file of that name has another content.
        StorageError: A file cannot be read.
    """
    found = {folder: DatasetDescription.in_folder(folder) for folder in dict.fromkeys(map(storage.folder_of, uris))}
    return {folder: description for folder, description in found.items() if description}


def complete(written: Mapping[str, Any], described: DataSpec) -> dict[str, Any]:
    """Fill in the keys that a specification leaves out.

    Args:
        written: A `DataSpec` as plain data, with any of its keys.
        described: What the description of the data says.

    Returns:
        The specification as plain data. Keys in which the data do not differ from YouTube-8M's are not added.
    """
    given = {key: value for key, value in written.items() if value is not None}
    spec = {**described.model_dump(mode="json", exclude_defaults=True), **given}
    features, ranges = spec.get("features", described.features), given.get("ranges", {})
    if described.ranges and isinstance(features, dict) and isinstance(ranges, dict):
        known = {name: list(bounds) for name, bounds in described.ranges.items() if name in features}
        spec["ranges"] = {**known, **ranges}
    if isinstance(layout := given.get("layout"), dict):
        spec["layout"] = {**described.layout.model_dump(exclude_defaults=True), **layout}
    return spec


def contradiction(spec: DataSpec, described: DataSpec, *, classes: bool = True) -> str:
    """Tell what a specification says otherwise than the description of the data.

    Features may be left out and have another order, and the length and the layout of records may be others.

    Args:
        spec: The specification.
        described: What the description says.
        classes: Whether the number of classes counts.

    Returns:
        A text such as `num_classes 10 and 12`, first the specification's, then the description's. Empty if both agree.
    """
    kept = {name: described.features[name] for name in spec.features if name in described.features}
    ranges = {name: described.range_of(name) for name in kept}
    if kept != spec.features:
        return f"features {dict(spec.features)} and {dict(described.features)}"
    num_classes = described.num_classes if classes else spec.num_classes
    return spec.difference(spec.model_copy(update={"ranges": ranges, "num_classes": num_classes}))


def check_described(found: Mapping[str, DatasetDescription], spec: DataSpec) -> None:
    """Check that data sets agree with each other and with a recipe.

    Args:
        found: Descriptions by folder, as `descriptions_of` returns them.
        spec: The recipe's specification of the data.

    Raises:
        DataError: They differ in features, sizes, classes, names of classes or ranges, or the data sets in the layout
            of their records.
    """
    for (first, one), (second, other) in pairwise(found.items()):
        names = [name for name in spec.features if name in one.data.features]
        kept = DataSpec.model_construct(
            features={name: one.data.features[name] for name in names},
            ranges={name: one.data.range_of(name) for name in names},
            num_classes=one.data.num_classes,
        )
        differences = (
            contradiction(kept, other.data),
            _other_layout(one, other),
            _other_names(first, one, second, other),
        )
        if difference := "; ".join(filter(None, differences)):
            raise DataError(
                f"{first} and {second} hold different data, as their {DESCRIPTION_NAME} say ({difference}). Take all "
                "shards of a run from one data set, or write both data sets with the same features, ranges, classes "
                "and layout."
            )
    for folder, description in found.items():
        if difference := contradiction(spec, description.data):
            raise DataError(
                f"data.spec: differs from {storage.join(folder, DESCRIPTION_NAME)} ({difference}: the recipe's and the "
                f"data's). Leave the key out of data.spec, or write what the data have: {_line(description.data)}"
            )


def spec_of_shards(spec: DataSpec, uris: Sequence[str], layout: RecordLayout, *, classes: bool) -> DataSpec:
    """Check that a model can read shards, as far as their descriptions tell, and find the layout of their records.

    Args:
        spec: What the model was made for.
        uris: URIs of the shards.
        layout: Its given keys replace those of the shards' description, or of the model if they have none.
        classes: Whether the number of classes counts, because labels are read.

    Returns:
        The model's specification with the layout of the shards.

    Raises:
        ConfigError: A file `dataset.json` beside the shards is no description of them.
        DataError: The shards have other features, sizes, ranges or classes than the model, or different layouts.
    """
    found = descriptions_of(uris)
    for folder, description in found.items():
        if difference := contradiction(spec, description.data, classes=classes):
            raise DataError(
                f"{folder}: the model was made for other videos than {DESCRIPTION_NAME} describes ({difference}: the "
                "model's and the data's). Give shards of the data set that the model was trained on, or shards that "
                "were written with the same features and ranges."
            )
    layouts = {
        folder: (found[folder].data if folder in found else spec).layout.with_keys(layout)
        for folder in map(storage.folder_of, uris)
    }
    (first, one), *others = layouts.items()
    if other := next((folder for folder, each in others if each != one), ""):
        raise DataError(f"{first} and {other} have records of different layouts. Read them by separate calls.")
    return spec.model_copy(update={"layout": one})


def _other_layout(one: DatasetDescription, other: DatasetDescription) -> str:
    layouts = (one.data.layout, other.data.layout)
    return "" if layouts[0] == layouts[1] else "layout {} and {}".format(*(each.model_dump() for each in layouts))


def _other_names(first: str, one: DatasetDescription, second: str, other: DatasetDescription) -> str:
    """Tell whether classes with the same number have different names in two data sets."""
    places = [storage.join(first, one.vocabulary), storage.join(second, other.vocabulary)]
    if not (one.vocabulary and other.vocabulary and all(map(storage.exists, places))):
        return ""
    same = storage.read_bytes(places[0]) == storage.read_bytes(places[1])
    return "" if same else f"names of classes in {places[0]} and {places[1]}"


def _line(spec: DataSpec) -> str:
    """Write a specification as a line for a recipe's section `data`, with what differs from YouTube-8M's format."""
    always = {"features": dict(spec.features), "num_classes": spec.num_classes, "max_frames": spec.max_frames}
    return f"`spec: {dump_line({**always, **spec.model_dump(mode='json', exclude_defaults=True)})}`"


def _facts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Iterate over what tells data sets apart, without the classes of kinds, which follow from the rest."""
    if isinstance(value, dict) and path != ("generation", "class_kinds"):
        for key, inner in value.items():
            yield from _facts(inner, (*path, key))
    elif not isinstance(value, dict):
        yield ".".join(path[1:] if path[0] in ("data", "generation", "imported") else path), value


def _without_format_1(text: str) -> str:
    """Bring a description of format 1 to the present format; return every other text as it is."""
    try:
        content = json.loads(text)
    except ValueError:
        return text
    if not isinstance(content, dict) or not content.keys() >= _GENERATION_KEYS_OF_FORMAT_1:
        return text
    generation = {key: content.pop(key) for key in sorted(_GENERATION_KEYS_OF_FORMAT_1)}
    version = content.pop("format", None)
    return json.dumps({**content, "generation": {"version": version, **generation}})
