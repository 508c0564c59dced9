import pytest

from yt8m import progress as module
from yt8m.progress import duration, progress


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0s"), (59.4, "59s"), (59.6, "1m00s"), (185, "3m05s"), (7620, "2h07m")]
)
def test_durations_read_like_a_clock(seconds: float, text: str):
    assert duration(seconds) == text


def test_lines_tell_amount_share_rate_time_left_and_note(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress("reading", total=100, unit="videos", done=20) as advance:
        now[0] = 10.0
        advance(40, "loss 2.5")
        now[0] = 20.0
        advance(40)
    first, last = capsys.readouterr().err.splitlines()
    assert first == "reading: 60/100 videos (60%), 4.0/s, 10s left, loss 2.5"
    assert last == "reading: 100/100 videos (100%), 4.0/s"


def test_frequent_steps_write_few_lines(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress("reading", total=1000) as advance:
        for step in range(1000):
            now[0] = step * 0.01
            advance()
    assert len(capsys.readouterr().err.splitlines()) == 2
