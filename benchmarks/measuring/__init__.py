"""What all measurements need: to print at once, to take the time, to know their memory."""

import os
import resource
import sys
import time
from pathlib import Path

# Nothing but errors from TensorFlow's C++ side; read when TensorFlow is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


class Stopwatch:
    """Wall time and the processors' time since it was made; on the latter it matters less who else is at work."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Wall time."""
        return time.perf_counter() - self._wall

    @property
    def processor_seconds(self) -> float:
        """Time of all of this process's threads together."""
        return time.process_time() - self._processor


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def peak_bytes() -> int:
    """Most memory this process has had so far, without what its parent had when it made it (Linux, in KiB)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def resident_bytes() -> int:
    """Memory this process holds now (Linux; the second number is resident pages)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
