"""The component that generates synthetic videos."""

from kfp.dsl import Artifact, Output


def generate(node: str, config: str, root: str, key: str, shards: Output[Artifact], attempt: str = "") -> None:
    """Generate synthetic videos in the format of YouTube-8M.

    Args:
        node: Name of the node.
        config: Changed entries of a `GenerateConfig`.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work. The shards are stored under it.
        shards: JSON with the URI of the folder of the shards. The shards stay there.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    import json
    from pathlib import Path

    from components.step import Step
    from yt8m import storage
    from yt8m.stages.generate import GenerateConfig
    from yt8m.stages.generate import generate as run_stage

    step = Step(locals(), "generate")
    uri = storage.join(root, "data", key)
    settings = step.parse(GenerateConfig)
    step.inputs.add_data(filter(None, [settings.means]))
    result = step.run(run_stage, config=settings, output_uri=uri)
    Path(shards.path).write_text(json.dumps({"uri": uri}))
    step.finish(result, kept=storage.list_uris(f"{uri}/**"))
