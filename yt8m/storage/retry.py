"""Requests that are repeated until they succeed or a deadline is over."""

import logging
import os
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from yt8m.errors import StorageError
from yt8m.storage.objects import ChangedObjectError, MissingObjectError, ObjectClient, Place, Trouble

_LOGGER = logging.getLogger("yt8m.storage")

Result = TypeVar("Result")

DEADLINE_VARIABLE = "YT8M_STORAGE_DEADLINE"
DEFAULT_DEADLINE_SECONDS = 120.0
# Waits are random, twice as long on average after every attempt.
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 20.0
# What a single attempt waits for a connection and between two bytes.
CONNECT_SECONDS, SILENCE_SECONDS = 10, 30


def deadline_seconds() -> float:
    """How long a request is repeated.

    Raises:
        StorageError: The environment variable is not a positive number.
    """
    text = os.environ.get(DEADLINE_VARIABLE, "")
    try:
        seconds = float(text or DEFAULT_DEADLINE_SECONDS)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise StorageError(f"{DEADLINE_VARIABLE}: expected a positive number of seconds, received '{text}'.")
    return seconds


def retried(operation: str, place: Place, client: ObjectClient, request: Callable[[], Result]) -> Result:
    """Make a request; repeats it while its failures look transient, each with a warning.

    Args:
        operation: What is done, for errors: `reading`, ...
        place: The object.
        client: Knows what its errors mean.
        request: One attempt.

    Returns:
        What the request returned.

    Raises:
        StorageError: It failed for good; names object, operation, attempts and remedy. `MissingObjectError` and
            `ChangedObjectError` where that is what happened.
    """
    from google.api_core import exceptions, retry  # noqa: PLC0415 - slow to import; local files do without

    attempts = 0
    start = time.monotonic()
    deadline = deadline_seconds()

    def attempt() -> Result:
        nonlocal attempts
        attempts += 1
        return request()

    def warn(error: Exception) -> None:
        left = max(0.0, start + deadline - time.monotonic())
        message = "%s: attempt %d of %s failed: %s. It is repeated for another %.0f s."
        _LOGGER.warning(message, place, attempts, operation, _text(error), left)

    repeat = retry.Retry(
        predicate=lambda error: client.trouble(error) is Trouble.TRANSIENT,
        initial=FIRST_WAIT_SECONDS,
        maximum=LONGEST_WAIT_SECONDS,
        multiplier=2.0,
        timeout=deadline,
        on_error=warn,
    )
    try:
        result: Result = repeat(attempt)()
    except StorageError:
        raise
    except Exception as error:  # the libraries have no common base of their errors
        cause = error.cause if isinstance(error, exceptions.RetryError) else error
        count = f"{attempts} attempts in {time.monotonic() - start:.0f} s" if attempts > 1 else "1 attempt"
        _give_up(place, client, cause, f"{operation} failed ({count})")
    return result


def _give_up(place: Place, client: ObjectClient, error: Exception, failure: str) -> NoReturn:
    trouble = client.trouble(error)
    if trouble is Trouble.MISSING:
        raise MissingObjectError(f"{place}: there is no such object. Check its name and the bucket's.") from None
    if trouble is Trouble.CHANGED:
        raise ChangedObjectError(f"{place}: it was written anew while it was read.") from None
    remedy = {
        Trouble.DENIED: client.access_remedy,
        Trouble.TRANSIENT: "Check the network and the store, then start the same again; "
        f"{DEADLINE_VARIABLE} says for how many seconds requests are repeated.",
    }.get(trouble, "Check the address and the store's settings.")
    raise StorageError(f"{place}: {failure}: {_text(error)}. {remedy}") from error


def _text(error: Exception) -> str:
    """An error in one line of readable length."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
