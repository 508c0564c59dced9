"""Parallel processing of large arrays in cache-sized chunks."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# Elements per chunk: 512 KiB of float32, so that a chunk and its temporaries stay in a core's private cache.
CHUNK_ELEMENTS = 1 << 17


def map_chunks(work: Callable[[int, int], Result], size: int, multiple: int = 1) -> list[Result]:
    """Call `work(start, stop)` for each chunk of `range(size)`, in threads (NumPy releases the GIL).

    Args:
        work: Function of the bounds of a chunk. It must read and write only that chunk.
        size: Total number of elements.
        multiple: Chunks begin at multiples of this number, for instance the length of a row.

    Returns:
        The results in the order of the chunks.
    """
    chunk = max(CHUNK_ELEMENTS // multiple, 1) * multiple
    bounds = list(_bounds(size, chunk))
    workers = min(_cores(), len(bounds))
    if workers <= 1:
        return [work(start, stop) for start, stop in bounds]
    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(lambda chunk_bounds: work(*chunk_bounds), bounds))


def _bounds(size: int, chunk: int) -> Iterator[tuple[int, int]]:
    for start in range(0, size, chunk):
        yield start, min(start + chunk, size)


def _cores() -> int:
    """Return the number of cores this process may use, or of all cores if the platform does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
