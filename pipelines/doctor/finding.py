"""What a check of a machine or a cluster found."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Severity, time, thread and source in a log line of TensorFlow's C++ code: `E0000 00:00:17.1   12 cuda.cc:9] `.
_LOG_PREFIX = re.compile(r"^.*?\S+\.(?:cc|cpp|h):\d+\] ")


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        subject: What was looked at, in one or two words.
        text: What was found.
        remedy: What to do about it. Empty if nothing is wrong.
    """

    subject: str
    text: str
    remedy: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.remedy

    def as_json(self) -> dict[str, str | bool]:
        """Return the finding for `--json`."""
        return {"subject": self.subject, "ok": self.is_ok, "text": self.text, "remedy": self.remedy}


@dataclass(frozen=True)
class Output:
    """Output of a program that was run for a check.

    Attributes:
        status: Exit status; None if the program does not exist or did not end in time.
        printed: Standard output.
        errors: Standard error, or why there is no exit status.
    """

    status: int | None
    printed: str
    errors: str

    @property
    def last_line(self) -> str:
        """Last line that says something, of the errors if there are any."""
        lines = (self.errors.strip() or self.printed.strip()).splitlines()
        return without_prefix(lines[-1]) if lines else "no output"


def run_program(command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None) -> Output:
    """Run a program to its end, or until a number of seconds has passed.

    Args:
        command: Program and arguments.
        seconds: Largest duration.
        environment: All environment variables of the program. None: those of this process.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return Output(None, "", f"no answer within {seconds:g} s")
    except OSError as error:
        return Output(None, "", str(error))
    return Output(done.returncode, done.stdout, done.stderr)


def without_prefix(line: str) -> str:
    """Remove severity, time and source from a log line of TensorFlow's C++ code."""
    return _LOG_PREFIX.sub("", line.strip())
