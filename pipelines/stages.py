"""The registry of stages: plain data about every kind of node that a pipeline can have.

A stage consists of the function `yt8m.stages.<name>.<name>`, the component `components.<name>.<name>` and its entry
here. CONTRIBUTING.md shows how to add one. All of `pipelines` may import this module, which imports nothing from the
project.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# Sections of a cluster's configuration with the resources of a class of steps.
Resources = Literal["data", "training", "inference", "assembly"]

# In `Stage.reads`: the final weights of a model, averaged if the recipe averages them.
FINAL_WEIGHTS = "weights"


@dataclass(frozen=True)
class Stage:
    """A kind of node.

    Attributes:
        name: Name of the function and of the component: `soft_targets`.
        resources: Section of the cluster's configuration with the resources of the stage's pods.
        node: Name of the stage's nodes. `{model}` and `{family}` stand for the model or family that a node works on.
        title: Title of the stage's nodes in user interfaces, with the same placeholders.
        outputs: Output artifacts of the component besides `metrics`. Other nodes usually read the first one.
        section: Section of the recipe that is the stage's configuration. Empty if the planner composes it, or if the
            stage has none.
        reads: Sources of the component's inputs, only for an optional stage, which a recipe switches on in its section
            `stages`. A source is an output of another stage (`prepare.partition`) or `FINAL_WEIGHTS`. The stage runs
            once, or, if `node` contains `{model}`, once for each model that has all these outputs.
    """

    name: str
    resources: Resources
    node: str
    title: str
    outputs: tuple[str, ...] = ()
    section: str = ""
    reads: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs_per_model(self) -> bool:
        """True if the stage has a node for each model."""
        return "{model}" in self.node

    @property
    def uses_gpu(self) -> bool:
        """True if the stage trains models or runs them over many videos."""
        return self.resources in ("training", "inference")


_ENTRIES = (
    Stage("generate", "data", "generate", "Generate videos", ("shards",), "data.generate"),
    Stage("prepare", "data", "prepare", "Prepare data", ("partition", "page")),
    Stage("train", "training", "train-{model}", "Train {model}", ("model", "page")),
    Stage("average", "training", "average-{model}", "Average {model}", ("averaged", "page")),
    Stage("evaluate", "inference", "evaluate-{model}", "Evaluate {model}", ("predictions",), "evaluation"),
    Stage("quantize", "assembly", "quantize-{model}", "Quantize {model}", ("quantized", "page"), "quantization"),
    Stage("select_teachers", "assembly", "select-{family}", "Select teachers of {family}", ("selection", "page")),
    Stage("soft_targets", "inference", "soft-targets-{family}", "Soft targets of {family}", ("manifest",)),
    Stage("join_soft_targets", "data", "soft-targets-{family}", "Soft targets of {family}", ("manifest",)),
    Stage("collect_records", "assembly", "collect-{family}", "Collect records of {family}"),
    Stage("search_weights", "assembly", "search-weights", "Search weights", ("weights", "page"), "ensemble.search"),
    Stage("export", "assembly", "export", "Export", ("exported", "card"), "export"),
    Stage("report", "assembly", "report", "Report", ("html", "summary")),
)

STAGES: Mapping[str, Stage] = {stage.name: stage for stage in _ENTRIES}
