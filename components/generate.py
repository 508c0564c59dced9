"""Generates videos in the format of YouTube-8M."""

from kfp import dsl
from kfp.dsl import Artifact, Metrics, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def generate(
    node: str,
    config: str,
    root: str,
    key: str,
    shards: Output[Artifact],
    metrics: Output[Metrics],
    attempt: str = "",
) -> None:
    """Generate videos in the format of YouTube-8M.

    Args:
        node: JSON of the node's identity.
        config: JSON of a `GenerateConfig`.
        root: URI under which the run keeps what is too large for artifacts.
        key: Names the exact work; the shards are kept under it.
        shards: Where the shards are, as JSON; the shards themselves stay there.
        metrics: Figures and the node's record.
        attempt: Tells deliberate repetitions of the same work apart.
    """
    import json
    from pathlib import Path

    from components.step import Step
    from yt8m import storage
    from yt8m.stages.generate import GenerateConfig
    from yt8m.stages.generate import generate as run_stage

    step = Step(locals())
    uri = storage.join(root, "data", key)
    result = run_stage(config=step.parse(GenerateConfig), output_uri=uri)
    Path(shards.path).write_text(json.dumps({"uri": uri}))
    step.finish(result, metrics)
