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

# Kubeflow's user interface cuts longer titles of steps.
MAX_TITLE_LENGTH = 20


@dataclass(frozen=True)
class Stage:
    """A kind of node.

    Attributes:
        name: Name of the function and of the component: `soft_targets`.
        resources: Section of the cluster's configuration with the resources of the stage's pods.
        node: Name of the stage's nodes. `{model}` and `{family}` stand for the model or family that a node works on.
        title: Title of the stage's nodes in user interfaces, of a stage with `{model}` at its end as well.
        outputs: Output artifacts of the component besides `metrics`. Other nodes usually read the first one.
        metrics: Whether the component has the output `metrics`, for figures that people compare between runs.
        reads: Sources of the component's inputs, only for an optional stage, which a recipe switches on in its section
            `stages`. A source is an output of another stage (`prepare.partition`) or `FINAL_WEIGHTS`. The stage runs
            once, or, if `node` contains `{model}`, once for each model that has all these outputs.
    """

    name: str
    resources: Resources
    node: str
    title: str
    outputs: tuple[str, ...] = ()
    metrics: bool = False
    reads: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs_per_model(self) -> bool:
        """True if the stage has a node for each model."""
        return "{model}" in self.node

    @property
    def uses_gpu(self) -> bool:
        """True if the stage trains models or runs them over many videos."""
        return self.resources in ("training", "inference")

    def title_of(self, model: str) -> str:
        """Return the title of a model's node. A name whose end would be cut comes first: `rnn3-from-netvlad train`."""
        title = self.title.format(model=model)
        if len(title) <= MAX_TITLE_LENGTH or not model:
            return title
        return f"{model} {self.title.removesuffix(' {model}').lower()}"


_ENTRIES = (
    Stage("generate", "data", "generate", "Generate videos", ("shards",)),
    Stage("prepare", "data", "prepare", "Prepare data", ("partition", "page")),
    Stage("train", "training", "train-{model}", "Train {model}", ("model", "predictions", "page"), metrics=True),
    Stage(
        "average", "training", "average-{model}", "Average {model}", ("averaged", "predictions", "page"), metrics=True
    ),
    Stage("quantize", "inference", "quantize-{model}", "Quantize {model}", ("member", "offers", "page"), metrics=True),
    Stage("select_teachers", "assembly", "select-{family}", "Select teachers", ("selection", "page")),
    Stage("soft_targets", "inference", "soft-targets-{family}", "Soft targets", ("manifest",)),
    Stage("search_weights", "assembly", "search-weights", "Search weights", ("weights", "page"), metrics=True),
    Stage("export", "inference", "export", "Export", ("exported", "card"), metrics=True),
    Stage("report", "assembly", "report", "Report", ("page", "summary"), metrics=True),
)

STAGES: Mapping[str, Stage] = {stage.name: stage for stage in _ENTRIES}
