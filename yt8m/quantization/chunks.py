"""Work on large arrays in pieces that fit the processor's cache, over all cores."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# Elements per piece: 512 KiB of float32, so that a piece and its temporaries stay in a core's own cache.
CHUNK_ELEMENTS = 1 << 17


def map_chunks(work: Callable[[int, int], Result], size: int, multiple: int = 1) -> list[Result]:
    """Call `work(start, stop)` for pieces of `range(size)`, in threads (NumPy releases the lock).

    Args:
        work: Called with the bounds of one piece; only reads and writes that piece.
        size: Number of elements in all.
        multiple: Pieces begin at multiples of this number, for instance the length of a row.

    Returns:
        The results in the order of the pieces.
    """
    chunk = max(CHUNK_ELEMENTS // multiple, 1) * multiple
    bounds = list(_bounds(size, chunk))
    workers = min(_cores(), len(bounds))
    if workers <= 1:
        return [work(start, stop) for start, stop in bounds]
    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(lambda piece: work(*piece), bounds))


def _bounds(size: int, chunk: int) -> Iterator[tuple[int, int]]:
    for start in range(0, size, chunk):
        yield start, min(start + chunk, size)


def _cores() -> int:
    """Cores this process may use; not every platform can say so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
