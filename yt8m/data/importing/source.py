"""The source of videos that given paths hold."""

from collections.abc import Iterable, Sequence

from yt8m.data.importing.label_forms import LabelReader
from yt8m.data.importing.options import SourceOptions
from yt8m.data.importing.readers.array_videos import ArrayVideos
from yt8m.data.importing.readers.checked import CheckedSource
from yt8m.data.importing.readers.joined import JoinedSource, NamedVideos
from yt8m.data.importing.readers.paths import common_format, expand, split_names
from yt8m.data.importing.readers.table_videos import TableVideos
from yt8m.data.importing.video import RawVideo, VideoSource
from yt8m.data.importing.vocabulary import Vocabulary

__all__ = ["SourceOptions", "open_source"]


def open_source(paths: Sequence[str], options: SourceOptions, vocabulary: Vocabulary | None = None) -> VideoSource:
    """Open files as one source of videos.

    Args:
        paths: Files, folders, glob patterns and URIs, as given on the command line. `NAME=PATH` gives the files of one
            feature; the videos of several features are joined by their ids. A path that exists is taken as it is.
            Files are read in the order of their names.
        options: Options that say how to read the files.
        vocabulary: Names of classes, which tell commas and spaces in the source's own labels from separators.

    Returns:
        The source. Its first video has been read, so `features` is known.

    Raises:
        DataError: Nothing was found, formats are mixed or unknown, or the files can be read in several ways.
    """
    labels = LabelReader(options.label_form, options.label_separator, vocabulary)
    sources = {name: _open(some, name, options, labels) for name, some in split_names(paths).items()}
    return sources[""] if "" in sources else JoinedSource(sources)


def _open(paths: Sequence[str], name: str, options: SourceOptions, labels: LabelReader) -> VideoSource:
    files = expand(paths)
    format_name = common_format(files)
    videos: Iterable[RawVideo]
    if format_name in ("parquet", "csv"):
        videos = TableVideos(files, format_name, options)
    else:
        videos = ArrayVideos(files, format_name, options, name)
    videos = NamedVideos(videos, name) if name else videos
    return CheckedSource(videos, ", ".join(paths), options.uint8, labels)
