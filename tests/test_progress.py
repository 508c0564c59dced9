import time

import pytest

from yt8m.progress import duration, is_progress_line, progress


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0s"), (59.4, "59s"), (59.6, "1m00s"), (185, "3m05s"), (7620, "2h07m")]
)
def test_durations_are_rounded_and_have_two_units_at_most(seconds: float, text: str):
    assert duration(seconds) == text


@pytest.fixture
def now(monkeypatch) -> list[float]:
    """Return the current time, which tests set."""
    instant = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: instant[0])
    return instant


def lines(capsys) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_lines_show_amount_share_rate_time_left_and_note(now, capsys):
    with progress("reading", total=100, unit="videos", done=10) as advance:
        advance(10)
        now[0] = 10.0
        advance(40, "loss 2.5")
        now[0] = 20.0
        advance(40)
    first, last = lines(capsys)
    assert first == "reading: 60/100 videos (60%), 4.0/s, 10s left, loss 2.5"
    assert last == "reading: 100/100 videos (100%), 4.0/s"


@pytest.mark.parametrize("done", [0, 1000])
def test_the_first_step_with_its_compilation_does_not_count_in_the_rate(now, capsys, done):
    with progress("training", total=done + 1000, done=done) as advance:
        now[0] = 60.0
        advance(10)
        for step in range(1, 7):
            now[0] = 60.0 + step
            advance(50)
    first, second = lines(capsys)
    assert "left" not in first
    assert "/s" not in first
    assert second.endswith(", 50.0/s, 15s left")


def test_the_rate_is_measured_over_the_last_half_minute(now, capsys):
    with progress("training", total=10_000) as advance:
        for step in range(200):
            now[0] = float(step)
            advance(10 if step < 100 else 1)
    assert ", 1.0/s" in lines(capsys)[-1]


def test_frequent_steps_write_few_lines(now, capsys):
    with progress("reading", total=1000) as advance:
        for step in range(1000):
            now[0] = step * 0.01
            advance()
    assert len(lines(capsys)) == 2


def test_progress_lines_are_told_from_other_output(now, capsys):
    with progress("train dbof1: again", total=10, unit="steps") as advance:
        now[0] = 6.0
        advance(3, "loss 1.2")
    (line,) = lines(capsys)
    assert is_progress_line(line)
    assert not is_progress_line("W0000 12:30: retrying 1/3")


def test_steps_slower_than_half_a_minute_have_a_rate(now, capsys):
    with progress("reading", total=10, unit="shards") as advance:
        for minute in range(4):
            now[0] = 60.0 * minute
            advance()
    assert lines(capsys)[-1] == "reading: 4/10 shards (40%), 0.0/s, 6m00s left"


def test_work_that_ends_early_is_complete(monkeypatch, capsys):
    monkeypatch.setattr("yt8m.progress.SECONDS_BETWEEN_LINES", 3600)
    with progress("train dbof1", total=100) as advance:
        advance(10, "epoch 1")
        advance(10, "epoch 2")
        advance(0, "ended early", total=20)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train dbof1: 20/20 videos (100%)")
    assert line.endswith(", ended early")
    assert "left" not in line
