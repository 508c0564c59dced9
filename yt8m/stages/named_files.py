"""Files that a recipe names and that only late steps read, looked at before anything trains.

Locally that is when the run starts. In a cluster it is when the run is submitted, if the file can be read from there,
otherwise in the step `prepare`.
"""

from yt8m import storage
from yt8m.data.vocabulary.names import read_vocabulary
from yt8m.errors import ConfigError, DataError
from yt8m.yaml_files import parse_line

VOCABULARY_KEY = "export.vocabulary"
_REMEDY = "Correct the path, or take the entry out."


def check_named_file(key: str, uri: str, num_classes: int) -> None:
    """Check that a file can be used; of models of other runs, that they exist.

    Args:
        key: Key of the recipe that names the file.
        uri: URI of the file or folder.
        num_classes: Number of classes of the data.

    Raises:
        ConfigError: There is no such file, or it cannot be used.
        StorageError: It cannot be read.
    """
    if not storage.exists(uri):
        remedy = "Correct the path, or set it to '' for no names." if key == VOCABULARY_KEY else _REMEDY
        raise ConfigError(f"{key}: {uri}: there is no such file. {remedy}")
    if key == VOCABULARY_KEY:
        try:
            read_vocabulary(uri, num_classes)
        except DataError as error:
            raise ConfigError(f"{key}: {error}") from None


def check_named_files(files: str, num_classes: int) -> None:
    """Check the files in the parameter `named_files` of a component; see `check_named_file`.

    Args:
        files: URIs by key of the recipe, on one line. Empty if there are none.
        num_classes: Number of classes of the data.
    """
    for key, uri in (parse_line(files, "named_files") if files else {}).items():
        check_named_file(key, uri, num_classes)
