"""First lines of a CSV file: the character between cells, and the names of the columns."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from yt8m.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# A number as programs write it, with a decimal point or comma.
NUMBER = r"\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*"
_NUMBERS = re.compile(rf"{NUMBER}|\s*[+-]?(nan|inf)\s*", re.IGNORECASE)
# Excel's line that names the separator.
_SEPARATOR_LINE = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=(.)"?\r?$')
_DECIMAL_COMMA = re.compile(rb"(?<=\d),(?=\d)")
# Columns that a message names.
_MOST_NAMED = 10
# Number of columns up to which a frame of the numbers 0, 1, 2, ... is no rare chance.
_FEW_COLUMNS = 16


class CsvStart(NamedTuple):
    """What the beginning of a CSV file says.

    Attributes:
        delimiter: Character between cells.
        skipped: Number of lines before the names of the columns.
    """

    delimiter: str
    skipped: int


def read_start(path: str, local: Path) -> CsvStart:
    """Find the character between cells: a tab, or the one of `,` and `;` that the first line has.

    Args:
        path: Path or URI, for its ending and for error messages.
        local: The file.

    Raises:
        DataError: The file is in UTF-16.
    """
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    with pa.input_stream(str(local)) as file:
        line = file.read(1 << 16).partition(b"\n")[0]
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: expected text in UTF-8, received UTF-16. Save the file as UTF-8.")
    if separator := _SEPARATOR_LINE.match(line):
        return CsvStart(separator[1].decode("latin-1"), 1)
    if ".tsv" in os.path.basename(path).lower():  # noqa: PTH119 - may be a URI
        return CsvStart("\t", 0)
    if b";" in line:
        line = _DECIMAL_COMMA.sub(b"", line)
    return CsvStart(next((each.decode() for each in (b",", b";", b"\t") if each in line), ","), 0)


def clean_names(names: Sequence[str], path: str) -> list[str]:
    """Return the names of columns without spaces around them; a column without a name gets its number as one.

    The mark `# ` that NumPy's `savetxt` puts before its header is no part of the first name.

    Raises:
        DataError: Two columns have the same name.
    """
    first = names[0].strip().removeprefix("# ")
    cleaned = [name.strip() or f"(column {number})" for number, name in enumerate([first, *names[1:]], start=1)]
    if len(set(cleaned)) < len(cleaned):
        refuse_numbers(cleaned, path)
        repeated = next(name for name in cleaned if cleaned.count(name) > 1)
        raise DataError(f"{path}: expected distinct columns, received '{repeated}' twice in {some(cleaned)}.")
    return cleaned


def refuse_numbers(names: Sequence[str], path: str, example: str = "") -> None:
    """Refuse names of columns which show that the first line is a row of numbers.

    Args:
        names: Names of the columns.
        path: File, for the message.
        example: Names of columns for the message, if they are no features. Without it, the numbers 0, 1, 2, ... are
            names, as of a table of Pandas without names.
    """
    if len(names) == 1 and len(cells := names[0].split()) > 1 and all(map(_NUMBERS.fullmatch, cells)):
        raise DataError(
            f"{path}: expected cells that are separated by commas, received spaces between numbers: '{names[0][:60]}'. "
            "Save the file with commas, with names of the columns in its first line. In NumPy: "
            "np.savetxt(..., delimiter=',', header='rgb_0,rgb_1,...', comments='')."
        )
    numbers = [name for name in names if _NUMBERS.fullmatch(name)]
    has_fraction = any(not name.strip(" +-").isdigit() for name in numbers)
    if has_fraction or (2 * len(numbers) >= len(names) and (example or not _counts(numbers))):
        raise DataError(
            f"{path}: expected the names of the columns in the first line, received numbers: {some(names)}. "
            f"Put a line with the names of the columns before it, for instance {example or _example(names)}."
        )


def refuse_doubtful(types: Mapping[str, Any], path: str) -> None:
    """Refuse a first line such as 0, 1, 2 that may be names of columns or a frame, because all rows look like it.

    Args:
        types: Type by column.
        path: File, for the message.
    """
    import pyarrow as pa  # noqa: PLC0415 - loads only when needed

    numbers = [name for name in types if _NUMBERS.fullmatch(name)]
    if 2 * len(numbers) < len(types) or len(numbers) > _FEW_COLUMNS:
        return
    if all(pa.types.is_integer(types[name]) or pa.types.is_null(types[name]) for name in numbers):
        raise DataError(
            f"{path}: the first line can be read in two ways: {some(list(types))} may be the names of the columns, or "
            f"the numbers of a first row. If it is a row, put a line with names such as {_example(list(types))} before "
            "it. If these are the names, write such names in their place."
        )


def some(names: Collection[str]) -> str:
    """Return the first of many names as a text."""
    listed = ", ".join(f"{name[:60]}..." if len(name) > 60 else name for name in [*names][:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return (f"{listed} and {more:,} more" if more > 0 else listed) or "none"


def number_like(column: "pa.Array") -> bool:
    """Return whether half of the cells that are not empty, or more, are numbers, perhaps with a decimal comma."""
    from pyarrow import compute  # noqa: PLC0415 - loads only when needed

    filled = compute.sum(compute.not_equal(compute.utf8_trim_whitespace(column), "")).as_py() or 0
    numbers = compute.sum(compute.match_substring_regex(column, f"^{NUMBER}$")).as_py() or 0
    return bool(numbers and 2 * numbers >= filled)


def _counts(numbers: Sequence[str]) -> bool:
    """Return whether names of columns are the whole numbers in a row, from 0 or 1."""
    first = numbers[:1] == ["1"]
    return list(numbers) == [str(number + first) for number in range(len(numbers))]


def _example(names: Sequence[str]) -> str:
    """Return names of columns that suit a first line without them."""
    ids = [] if _NUMBERS.fullmatch(names[0]) else ["id"]
    count = len(names) - len(ids)
    values = [f"rgb_{number}" for number in range(count)]
    return ",".join([*ids, *(values if count <= 4 else [*values[:3], "...", values[-1]])])
