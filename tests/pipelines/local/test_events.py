"""What KFP 2.17's local runner prints, and what it means."""

import pytest

from pipelines.local.events import Event, EventReader

OUTPUT = """\
07:00:31.970 - INFO - Running pipeline: \x1b[95m'whole'\x1b[0m
--------------------------------------------------------------------------------
07:00:31.973 - INFO - Executing task \x1b[96m'train-a'\x1b[0m
07:00:31.973 - INFO - Streamed logs:

    [KFP Executor 2026-11-23 07:00:32,016 INFO]: Got executor_input:
    {
        "inputs": {"config": "{}"}
    }
    train a: 1/2 steps (50%)
    {"printed": "by the step"}
    [KFP Executor 2026-11-23 07:00:33,017 INFO]: Wrote executor output file to /x/executor_output.json.

07:00:33.027 - INFO - Task \x1b[96m'train-a'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m
07:00:33.027 - INFO - Task \x1b[96m'train-a'\x1b[0m outputs:
    metrics: Metrics( name='metrics',
2026-11-23 07:00:35,726 - INFO - Task train-b cache hit (key=c057a5a70661); skipping execution.
07:00:31.973 - INFO - Executing task \x1b[96m'train-c'\x1b[0m
07:00:33.027 - ERROR - Task \x1b[96m'train-c'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m
"""


@pytest.fixture
def events() -> list[Event]:
    reader = EventReader()
    return [reader.read(line) for line in OUTPUT.splitlines(keepends=True)]


def test_nodes_start_end_fail_and_stay_unchanged(events: list[Event]) -> None:
    told = [event for event in events if event.kind not in {"printed", "other"}]
    assert told == [
        Event("started", "train-a"),
        Event("done", "train-a"),
        Event("unchanged", "train-b", "c057a5a70661"),
        Event("started", "train-c"),
        Event("failed", "train-c"),
    ]


def test_only_the_steps_own_lines_count_as_printed(events: list[Event]) -> None:
    printed = [event for event in events if event.kind == "printed"]
    assert printed == [
        Event("printed", "train-a", "train a: 1/2 steps (50%)"),
        Event("printed", "train-a", '{"printed": "by the step"}'),
    ]
