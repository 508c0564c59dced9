"""Logistic baseline: a head on the mean frame."""

from typing import Any, Literal

from yt8m.data.format import DataSpec
from yt8m.models.head import Head, LogisticConfig, classify
from yt8m.models.pooled import OrderFreeConfig, frame_inputs


class FrameLevelLogisticConfig(OrderFreeConfig):
    """Logistic regression on the mean frame: the baseline that any architecture should beat.

    It is `FrameLevelLogisticModel` of YouTube-8M's starter code with two additions, which make it comparable with the
    paper's models: training draws frames, and frames are batch-normalized. The starter code has neither; set
    `num_sampled_frames: all, normalize_input: false` for its form. In the article about YouTube-8M (Abu-El-Haija et al.
    2016, section 5.1.1), logistic regression classifies every frame, and the mean of the predictions is taken.

    Attributes:
        architecture: `logistic`.
        num_sampled_frames: Number of frames that training draws with replacement from each video, as for the paper's
            models. `max_frames` means as many as the longest videos have, `all` uses every real frame once. Inference
            uses all frames.
        normalize_input: Whether frames are batch-normalized before the mean is taken, as in the paper's models.
        head: Layers from the mean frame to probabilities. The starter code of YouTube-8M's authors has a logistic head
            with a penalty of 1e-8.
    """

    architecture: Literal["logistic"] = "logistic"
    head: Head = LogisticConfig()


def build(config: FrameLevelLogisticConfig, spec: DataSpec) -> Any:
    """Build the baseline; see `yt8m.models.architecture.Architecture.build`."""
    import keras

    from yt8m.layers.feature_pooling import AverageFrames, FeaturePooling

    inputs = frame_inputs(spec)
    pool = FeaturePooling(
        {"frames": spec.num_features},
        {"frames": AverageFrames(name="frames")},
        config.num_sampled_frames,
        config.normalize_input,
        name="pooling",
    )
    mean = pool(inputs["frames"], inputs["num_frames"])
    return keras.Model(inputs, classify(mean, config.head, spec.num_classes), name=config.architecture)
