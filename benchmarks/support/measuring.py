"""Time, memory, spread and unbuffered output of figures of a benchmark."""

import os
import resource
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path

# Hide all messages of TensorFlow's C++ code but errors. TensorFlow reads the variable when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


class Stopwatch:
    """Wall time and CPU time since its creation. Other load of the machine affects CPU time less."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Wall time in seconds."""
        return time.perf_counter() - self._wall

    @property
    def processor_seconds(self) -> float:
        """CPU time of all threads of this process in seconds."""
        return time.process_time() - self._processor


def say(line: str) -> None:
    """Print a line without buffering."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def spread(values: Iterable[float], *, signed: bool = False, digits: int = 4) -> str:
    """Format the mean, and with several values the standard deviation."""
    given = list(values)
    mean = f"{statistics.mean(given):{'+' if signed else ''}.{digits}f}"
    return f"{mean} ± {statistics.stdev(given):.{digits}f}" if len(given) > 1 else mean


def peak_bytes() -> int:
    """Return the peak memory of this process in bytes (Linux).

    Unlike `getrusage`, it does not count the memory of the parent when it started this process.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024  # in KiB


def resident_bytes() -> int:
    """Return the current memory of this process in bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
