import pytest

from pipelines.cli.format import describe_bytes, describe_figures
from pipelines.runs.state import NodeState


def test_figures_are_gap_and_size() -> None:
    assert describe_figures(NodeState(title="x", metrics={"gap": 0.87236, "bytes_after": 117e6})) == (
        "  (GAP 0.8724, 117.0 MB)"
    )
    of_report = NodeState(title="x", metrics={"gap": 0.87236, "videos": 1050.0}, part="report")
    assert describe_figures(of_report) == "  (GAP 0.8724 on 1,050 report videos)"
    assert describe_figures(NodeState(title="x", metrics={"seconds": 3.0})) == ""


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2**30, "1.1 GB"), (5e12, "5.0 TB")]
)
def test_sizes_are_in_powers_of_ten(size: float, text: str) -> None:
    assert describe_bytes(size) == text
