"""What is new in a log."""

import pytest

from pipelines.runs.step_log import new_text


@pytest.mark.parametrize(
    ("log", "printed", "expected"),
    [
        ("one\n", "", "one\n"),
        ("one\ntwo\n", "one\n", "two\n"),
        ("one\n", "one\n", ""),
        # Kubernetes dropped the first line, as logs are rotated.
        ("two\nthree\n", "two\n", "three\n"),
        # The archived log lacks what the launcher printed first.
        (f"{'x' * 600}\nend\n", f"launcher\n{'x' * 600}\n", "end\n"),
        # Nothing that was printed is left.
        ("five\n", "one\ntwo\n", "five\n"),
    ],
)
def test_only_what_is_new_is_printed(log: str, printed: str, expected: str) -> None:
    assert new_text(log, printed) == expected
