"""Retries of requests to object stores, with exponential backoff and a deadline."""

import logging
import os
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from yt8m.errors import StorageError
from yt8m.storage.interface import ChangedObjectError, Failure, MissingObjectError, ObjectClient, ObjectPath

_LOGGER = logging.getLogger("yt8m.storage")

Result = TypeVar("Result")

DEADLINE_VARIABLE = "YT8M_STORAGE_DEADLINE"
DEFAULT_DEADLINE_SECONDS = 120.0
# Waits are random. Their mean doubles after every attempt.
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 20.0
# Timeouts of one attempt: to connect, and between two received bytes.
CONNECT_SECONDS, SILENCE_SECONDS = 10, 30


def deadline_seconds() -> float:
    """Return the number of seconds for which failed requests are retried.

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


def retried(operation: str, path: ObjectPath, client: ObjectClient, request: Callable[[], Result]) -> Result:
    """Make a request, and repeat it with a warning after each transient failure.

    Args:
        operation: Name of the operation in messages, for instance `reading`.
        path: Object that the request is about.
        client: Client that makes the request and classifies its errors.
        request: Function that makes one attempt.

    Returns:
        The result of the request.

    Raises:
        StorageError: The request failed permanently or until the deadline. The message names object, operation,
            attempts and remedy.
        MissingObjectError: The object does not exist.
        ChangedObjectError: The object was rewritten while it was read.
    """
    from google.api_core import exceptions, retry  # noqa: PLC0415 - slow to import, and not needed for local files

    attempts = 0
    start = time.monotonic()
    deadline = deadline_seconds()

    def attempt() -> Result:
        nonlocal attempts
        attempts += 1
        return request()

    def warn(error: Exception) -> None:
        left = max(0.0, start + deadline - time.monotonic())
        message = "%s: attempt %d of %s failed: %s. Retrying for another %.0f s."
        _LOGGER.warning(message, path, attempts, operation, _shortened(error), left)

    repeat = retry.Retry(
        predicate=lambda error: client.classify(error) is Failure.TRANSIENT,
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
    except Exception as error:  # the errors of the libraries have no common base class
        cause = error.cause if isinstance(error, exceptions.RetryError) else error
        count = f"{attempts} attempts in {time.monotonic() - start:.0f} s" if attempts > 1 else "1 attempt"
        _give_up(path, client, cause, f"{operation} failed ({count})")
    return result


def _give_up(path: ObjectPath, client: ObjectClient, error: Exception, failure: str) -> NoReturn:
    kind = client.classify(error)
    if kind is Failure.MISSING:
        raise MissingObjectError(
            f"{path}: there is no such object. Check the names of the bucket and of the object."
        ) from None
    if kind is Failure.CHANGED:
        raise ChangedObjectError(f"{path}: the object was rewritten while it was read.") from None
    remedy = {
        Failure.DENIED: client.access_remedy,
        Failure.TRANSIENT: "Check the network and the store, then run the command again. "
        f"{DEADLINE_VARIABLE} sets the number of seconds for which failed requests are retried.",
    }.get(kind, "Check the address and the settings of the store.")
    raise StorageError(f"{path}: {failure}: {_shortened(error)}. {remedy}") from error


def _shortened(error: Exception) -> str:
    """Return the message of an error in one line of readable length."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
