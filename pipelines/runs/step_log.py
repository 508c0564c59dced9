"""Log of a step, the same for local runs and runs in a cluster."""

from typing import NamedTuple

from yt8m.errors import DataError

# Number of characters by which a place in a log is found whose beginning is gone.
_TAIL_CHARACTERS = 500


class NoLogYetError(DataError):
    """The step has no log, but may have one later."""


class StepLog(NamedTuple):
    """Log of a step at one moment.

    Attributes:
        text: What the step printed.
        notes: Lines to tell with it, such as the reason of a failure.
        is_growing: Whether the step may still print.
        attempt: Number of the attempt that printed it, from 1.
    """

    text: str
    notes: tuple[str, ...] = ()
    is_growing: bool = False
    attempt: int = 1


def new_text(log: str, printed: str) -> str:
    """Return the part of a log that was not printed yet.

    Args:
        log: The log as it is now. Kubernetes drops the beginning of long logs, and the archived log of a pod does not
            begin like the pod's.
        printed: What was printed of earlier states of the log.
    """
    if log.startswith(printed):
        return log[len(printed) :]
    tail = printed[-_TAIL_CHARACTERS:]
    _, found, rest = log.rpartition(tail)
    return rest if found else log
