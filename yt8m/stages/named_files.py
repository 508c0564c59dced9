"""Files that a recipe names and that only late steps read, looked at before anything trains.

Locally that is when the run starts. In a cluster it is when the run is submitted, if the file can be read from there,
otherwise in the step `prepare`.
"""

from pathlib import Path

from yt8m import storage
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.data.vocabulary.names import read_vocabulary
from yt8m.errors import ConfigError, DataError
from yt8m.stages.final_test import TEST_KEY, check_first_records, find_test_shards
from yt8m.training.provenance import check_seen
from yt8m.yaml_files import parse_line

VOCABULARY_KEY = "export.vocabulary"
# Beginnings of the keys of models of other runs: those that are taken, and those with whose weights trainings start.
TAKEN_KEY, START_KEY = "from: ", "start_from: "
_REMEDY = "Correct the path, or take the entry out."


def check_named_file(key: str, uri: str, num_classes: int) -> None:
    """Check that a file can be used; of models of other runs and of test shards, that they exist.

    Args:
        key: Key of the recipe that names the file.
        uri: URI of the file or folder, or pattern of test shards.
        num_classes: Number of classes of the data.

    Raises:
        ConfigError: There is no such file, or it cannot be used.
        StorageError: It cannot be read.
    """
    if key.startswith(TEST_KEY):
        find_test_shards(key, uri)
        return
    if not storage.exists(uri):
        remedy = "Correct the path, or set it to '' for no names." if key == VOCABULARY_KEY else _REMEDY
        raise ConfigError(f"{key}: {uri}: there is no such file. {remedy}")
    if key == VOCABULARY_KEY:
        try:
            read_vocabulary(uri, num_classes)
        except DataError as error:
            raise ConfigError(f"{key}: {error}") from None


def check_named_files(files: str, spec: DataSpec) -> None:
    """Check the files in the parameter `named_files` of a component; see `check_named_file`.

    Args:
        files: URIs by key of the recipe, on one line. Empty if there are none.
        spec: Features, classes and length of the videos.

    Raises:
        ConfigError: There is no such file, it cannot be used, or test shards have other features or no labels.
        StorageError: A file cannot be read.
    """
    for key, uri in _parse(files).items():
        check_named_file(key, uri, spec.num_classes)
        if key.startswith(TEST_KEY):
            check_first_records(key, find_test_shards(key, uri)[0], spec)


def check_other_models(files: str, partition: Path) -> None:
    """Check that the models of other runs in the parameter `named_files` do not know the hold-out videos.

    Args:
        files: URIs by key of the recipe, on one line. Empty if there are none.
        partition: File of the partition of this run. It is read only if there are such models.

    Raises:
        DataError: A model learned from hold-out videos, was chosen by some that figures are reported on, or has
            predictions for others.
        StorageError: A record of a model cannot be read.
    """
    models = {key: uri for key, uri in _parse(files).items() if key.startswith((TAKEN_KEY, START_KEY))}
    if not models:
        return
    videos = Partition.load(partition)
    for key, uri in models.items():
        try:
            check_seen(uri, videos, starts=key.startswith(START_KEY))
        except DataError as error:
            raise DataError(f"{key}: {error}") from None


def _parse(files: str) -> dict[str, str]:
    return parse_line(files, "named_files") if files else {}
