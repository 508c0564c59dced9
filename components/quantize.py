"""The component that quantizes a model."""

from kfp import dsl
from kfp.dsl import HTML, Input, Metrics, Model, Output


@dsl.component(base_image="yt8m-python", install_kfp_package=False, packages_to_install=[])
def quantize(
    node: str,
    config: str,
    root: str,
    key: str,
    model: Input[Model],
    quantized: Output[Model],
    metrics: Output[Metrics],
    page: Output[HTML],
    attempt: str = "",
) -> None:
    """Store a model's large weights in 8 bits.

    Args:
        node: JSON of the node's identity.
        config: JSON of a `QuantizeConfig`.
        root: URI of the run's root, for files that are too large for artifacts.
        key: Key of the node's work.
        model: The trained model.
        quantized: The quantized model.
        metrics: Metrics and the record of the node.
        page: Page with the size and the error of each variable.
        attempt: Mark of a deliberate repetition of the same work. Empty for the first execution.
    """
    from pathlib import Path

    from components.step import Step
    from yt8m.report.node_page import render_node_page
    from yt8m.stages.quantize import QuantizeConfig
    from yt8m.stages.quantize import quantize as run_stage

    step = Step(locals())
    result = run_stage(model=Path(model.path), config=step.parse(QuantizeConfig), output=Path(quantized.path))
    step.finish(result, metrics)
    step.write_page(result, page, lambda record: render_node_page(record, ["quantization"]))
