"""Options that say how to read the files of a source."""

from collections.abc import Collection
from typing import Literal

from yt8m.config import Config
from yt8m.data.importing.label_forms import LabelForm
from yt8m.data.importing.readers.csv_header import some
from yt8m.errors import DataError, suggest


class SourceOptions(Config):
    """Reading of files that do not say themselves what they hold. Everything can usually be left out.

    In messages, an option appears as the command's option, for instance `--id-column` for `id_column`.

    Attributes:
        layout: What one video is. `file`: one file, or one group of an HDF5 file; rows are its frames. `row`: one row
            of a table, or one entry of the first axis of an array. `frame`: consecutive rows with the same id, one row
            per frame. `auto` finds it out, and refuses files that can be read in two ways.
        features: Columns, arrays or data sets to import, in this order. Numbered columns such as `rgb_0` to `rgb_1023`
            are one feature `rgb`. Empty means everything that looks like features: lists of numbers and numbered
            columns in tables, all arrays without another meaning in other files.
        id_column: Column, array or data set with the ids. Empty means the one called `id`, `ids`, `video_id` or
            `video`. Videos that are files or groups have their names as ids, without the extension. Rows of arrays
            without ids have their numbers, from 0.
        ids: File with the ids of the rows of stacked arrays: an array of NumPy (`.npy`), or a text file with one id per
            line. Empty if the source has its own ids.
        frame_column: Column with the number or time of the frame, in tables with one row per frame. It must increase
            within a video. Empty means the one called `frame`, `frame_index`, `frame_number`, `frame_idx` or
            `frame_id`.
        labels_column: Column, array or data set with the labels. Empty means the one called `labels` or `label`.
        group_column: Column, array or data set with the group, for the split. Empty means the one called `group`.
        weight_column: Column, array or data set with the factor of a video's loss in training, a number that is at
            least 0. Empty means that videos have no weights, whatever columns are called.
        label_form: Form of the source's own labels. `numbers` for class numbers, `names` for names of classes,
            `multi_hot` for a 0 or 1 for every class. `auto` finds it out.
        label_separator: Text between the labels in a cell of text. Empty means `|` or `;`, and a comma or space between
            class numbers.
        uint8: Meaning of features that are stored as bytes. `quantized`: YouTube-8M's bytes, which stand for -2 to 2.
            `values`: plain numbers from 0 to 255. `refuse`: neither is assumed, and such features are refused.
    """

    layout: Literal["auto", "file", "row", "frame"] = "auto"
    features: tuple[str, ...] = ()
    id_column: str = ""
    ids: str = ""
    frame_column: str = ""
    labels_column: str = ""
    group_column: str = ""
    weight_column: str = ""
    label_form: LabelForm = "auto"
    label_separator: str = ""
    uint8: Literal["refuse", "quantized", "values"] = "refuse"


class MissingColumnError(DataError):
    """A column, array or data set that an option names is missing.

    Attributes:
        option: The option, for instance `--group-column`.
    """

    def __init__(self, message: str, option: str) -> None:
        super().__init__(message)
        self.option = option


def given_column(name: str, option: str, known: Collection[str], where: str, kind: str = "column") -> str:
    """Return the name that an option gives, or an empty text if it gives none.

    Args:
        name: The name, or an empty text.
        option: The option, for the message.
        known: All names.
        where: File, and group in it, for the message.
        kind: What the names are.

    Raises:
        MissingColumnError: There is none of this name.
    """
    if not name or name in known:
        return name
    nearest = suggest(name, known).rpartition("Known:")[0]
    remedy = ""
    if any(part.startswith(f"{name}=") for part in where.split("/")):
        remedy = f" Names of folders are not read: write {name} as a column, in these files or in the file of --labels."
    raise MissingColumnError(
        f"{where}: {option}: no {kind} '{name}'. {nearest}Known: {some(sorted(known))}.{remedy}", option
    )
