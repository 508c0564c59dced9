"""Finished runs that other recipes import models from."""

from pathlib import Path
from typing import Any

from pipelines.recipe.schema import Recipe
from yt8m.report.artifacts import ModelArtifacts
from yt8m.report.summary import Data, Final, Summary
from yt8m.report.summary_tables import Tables


def write_summary(
    root: Path, recipe: Recipe, *, key: str = "k", division: tuple[float, int] | None = None, **changes: Any
) -> Path:
    """Write the summary of a run of a recipe, whose members are all its models; return the root."""
    groups = {name: family for family, config in recipe.families.items() for name in config.candidates}
    artifacts = tuple(
        ModelArtifacts(
            model=name,
            group=groups.get(name, ""),
            average=recipe.averages()[name],
            architecture=model.model.model_dump(mode="json"),
            training=model.training.model_dump(mode="json"),
            key=f"{key}-{name}",
            weights=f"gs://bucket/{name}/averaged",
            predictions=f"gs://bucket/{name}/predictions",
            member_key=f"{key}-quantized-{name}",
            member="" if name.startswith("vlad-a") else f"gs://bucket/{name}/member",
            offers="" if name.startswith("vlad-a") else f"gs://bucket/{name}/offers",
        )
        for name, model in recipe.models().items()
    )
    share, seed = division or (recipe.data.report_share, recipe.seed)
    spec = {**recipe.data.resolve_spec().model_dump(mode="json"), **changes}
    generated = recipe.data.generate.model_dump(mode="json") if recipe.data.generate else None
    data = Data(
        spec=spec,
        report_share=share,
        seed=seed,
        holdout_shards=recipe.data.holdout_shards,
        patterns=(*recipe.data.training, *recipe.data.validation),
        generated=generated,
    )
    root.mkdir(exist_ok=True)
    text = Summary(final=Final(), tables=Tables(), artifacts=artifacts, data=data).model_dump_json()
    (root / "summary.json").write_text(text)
    return root
