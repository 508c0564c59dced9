"""Where the models of a run are, for other runs that take them."""

from collections.abc import Mapping, Sequence
from typing import Any

from yt8m.config import Config
from yt8m.identity import work_name
from yt8m.records.record import NodeRecord
from yt8m.report.run import ModelRun, Run


class ModelArtifacts(Config):
    """A trained model of a run, with the addresses of its files.

    Attributes:
        model: Name of the model.
        group: Family of the recipe that the model is a candidate of. Empty for students.
        average: When averaged weights replace the trained ones, as in the recipe: `never`, `always` or `if_better`.
        architecture: Architecture and sizes of the model, as in the recipe.
        training: Options of its training, as in the recipe.
        key: Name of the work that made the weights.
        weights: URI of the model's folder.
        predictions: URI of its predictions for the hold-out.
        member_key: Name of the work that quantized the model. Empty if it is not quantized.
        member: URI of the quantized member's folder. Empty if it is not quantized.
        offers: URI of the folder that the search for weights reads of the member.
    """

    model: str
    group: str
    average: str
    architecture: dict[str, Any]
    training: dict[str, Any]
    key: str
    weights: str
    predictions: str
    member_key: str = ""
    member: str = ""
    offers: str = ""


def list_artifacts(records: Sequence[NodeRecord], families: Mapping[str, Sequence[str]]) -> tuple[ModelArtifacts, ...]:
    """List the models that a run trained, in the order of their training.

    Args:
        records: Records of the run's nodes. Models without addresses in their records are left out.
        families: Candidates of each family of the recipe.
    """
    groups = {name: family for family, names in families.items() for name in names}
    models = Run([record for record in records if record.artifacts]).models.values()
    return tuple(_of_model(model, groups.get(model.name, "")) for model in models if "train" in model.records)


def _of_model(model: ModelRun, group: str) -> ModelArtifacts:
    train, final, quantize = model.records["train"], model.records[model.final], model.records.get("quantize")
    return ModelArtifacts(
        model=model.name,
        group=group,
        average=final.config.get("policy", "never"),
        architecture=train.config["model"],
        training=train.config["training"],
        key=_key(final),
        weights=final.artifacts["averaged" if final.stage == "average" else "model"],
        predictions=final.artifacts["predictions"],
        member_key=_key(quantize) if quantize else "",
        member=quantize.artifacts["member"] if quantize else "",
        offers=quantize.artifacts["offers"] if quantize else "",
    )


def _key(record: NodeRecord) -> str:
    return work_name(str(record.parameters.get("key", "")), str(record.parameters.get("attempt", "")))
