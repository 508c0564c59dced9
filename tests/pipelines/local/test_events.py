import os

import pytest

from pipelines.local.events import Event, read_events, write_event


@pytest.mark.parametrize(
    "event",
    [
        Event("started", "train-a"),
        Event("printed", "train-a", 'a line\nof two, {"kind": "done"} and \u2028 \ufffd é'),
        Event("done", "train-a", outputs={"model": "/steps/train-a/model"}),
        Event("failed", "train-a", error="exit status 1", time=12.5),
    ],
)
def test_events_arrive_as_they_were_written(event: Event) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as lines:
        with os.fdopen(writer, "wb") as file:
            write_event(file, event)
            write_event(file, event)
        assert [(each, each.time) for each in read_events(lines)] == [(event, event.time)] * 2


def test_an_event_that_was_cut_off_is_ignored() -> None:
    assert [event.kind for event in read_events([b'{"kind": "started", "node": "a"}\n', b'{"kind": "do'])] == [
        "started"
    ]
