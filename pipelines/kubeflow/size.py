"""Size of a compiled pipeline and of its runs, against the limits of Kubeflow Pipelines and Argo."""

import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from pipelines.kubeflow.compile import Compiled
from pipelines.kubeflow.spec import Spec
from pipelines.kubeflow.workflow import Workflow, to_json
from yt8m.errors import ConfigError

MAX_RUN_BYTES = 1 << 20
"""Argo's size limit for a workflow, which is what a run becomes: the pipeline and the states of its steps."""

MAX_RUN_SHARE = 0.9
"""Largest share of that limit that is accepted. The rest is for the error of the estimate and for failures."""

MAX_COMPILED_BYTES = 32 << 20
"""Size limit of KFP's server for a pipeline's file."""

# The level of zlib that packs about as Argo does, and what Argo makes of the states of real pods relative to it. Fitted
# to a run of smoke.yaml; the tests compare with all recorded runs.
_LEVEL, _PACKED_SHARE = 5, 1.09
_BASE64 = 4 / 3


@dataclass(frozen=True)
class RunSize:
    """Approximate size of a run as Argo stores it, in which no step comes from the cache.

    Attributes:
        start_bytes: Size when the run starts.
        end_bytes: Size when all steps have ended, with compressed states. Argo compresses them once it has to.
    """

    start_bytes: int
    end_bytes: int

    def __str__(self) -> str:
        """Say which share of Argo's limit a run takes."""
        return f"a run takes {self.start_share:.0%} of Argo's limit at its start, about {self.end_share:.0%} at its end"

    @property
    def start_share(self) -> float:
        """Size at the start as a share of Argo's limit."""
        return self.start_bytes / MAX_RUN_BYTES

    @property
    def end_share(self) -> float:
        """Size at the end as a share of Argo's limit."""
        return self.end_bytes / MAX_RUN_BYTES

    def check(self, name: str, *, offloaded: bool) -> None:
        """Refuse a pipeline whose runs are too large for Argo.

        Args:
            name: Name of the pipeline.
            offloaded: Whether Argo keeps the states of steps in a database, so that only the pipeline counts.

        Raises:
            ConfigError: The run takes more than `MAX_RUN_SHARE` of the limit.
        """
        if (self.start_share if offloaded else self.end_share) <= MAX_RUN_SHARE:
            return
        database = (
            ""
            if offloaded
            else " If Argo keeps the states of steps in a database (nodeStatusOffLoad), add --offloaded: then only the "
            "start counts, but Kubeflow shows no states of steps."
        )
        raise ConfigError(
            f"{name}: {self} ({MAX_RUN_BYTES:,} bytes). Above {MAX_RUN_SHARE:.0%} it may hang for ever. Divide it "
            "into several recipes with fewer models: `members: {from: RUN}` takes trained members from another run. "
            f"Without `retries` in the section `cluster` a run is a little smaller.{database} See docs/scale.md."
        )


def compiled_bytes(compiled: Compiled) -> int:
    """Return the size of the file that `yt8m compile` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiled.write(path)
        return path.stat().st_size


def run_size(spec: Spec, platforms: Spec) -> RunSize:
    """Estimate the size of a pipeline's runs.

    Args:
        spec: A `PipelineSpec` as plain data.
        platforms: Its `PlatformSpec` as plain data.
    """
    workflow = Workflow(spec, platforms)
    states = len(zlib.compress(to_json(workflow.nodes).encode(), _LEVEL))
    return RunSize(workflow.spec_bytes, workflow.spec_bytes + round(states * _BASE64 * _PACKED_SHARE))
