"""The model card: describes an exported model to people who have not seen the run."""

from collections.abc import Mapping
from importlib import resources

import jinja2
from pydantic import PositiveInt

from yt8m.config import Config
from yt8m.data.format import DEQUANTIZATION
from yt8m.data.vocabulary.names import ClassNames
from yt8m.export.description import ExportDescription
from yt8m.export.latency import Latency
from yt8m.holdout import Part

# Number of classes whose names are in the card.
_LISTED_CLASSES = 20


class CardTexts(Config):
    """Texts of the model card, which only the makers of the model can write.

    Attributes:
        title: Heading of the card.
        data: What the training data is.
        intended_use: Purpose of the model, and uses it is not suited for.
        data_license: License of the training data.
        model_license: License of the model.
    """

    title: str = "Video classifier"
    data: str = "Frame features of videos in YouTube-8M's format."
    intended_use: str = (
        "Predicting the topics of a video from frame features computed exactly as in training. "
        "Not for decisions about people: the labels are machine-generated and incomplete."
    )
    data_license: str = "Not stated. (YouTube-8M's features and labels are CC BY 4.0.)"
    model_license: str = "Not stated."


class MemberGaps(Config):
    """GAP of one member on the part of the hold-out that is reported. None means not measured.

    Attributes:
        floats: GAP with float32 weights.
        quantized: GAP with the weights as exported.
    """

    floats: float | None = None
    quantized: float | None = None


class CardFacts(Config):
    """Facts of the model card that the run knows.

    Attributes:
        description: Members, data and mode of the export.
        size_bytes: Bytes of the SavedModel without the card.
        budget_bytes: Maximum bytes of the SavedModel.
        weights_by_bits: Number of weights stored with each number of bits.
        part: Part of the hold-out on which the GAPs below are computed, but for `stored_gap_select`.
        videos: Number of videos in that part.
        gap_top_k: Number of predictions per video that count in GAP.
        gap_exported: GAP of the exported model; the figure to quote.
        gap_low: Lower end of its 95% interval.
        gap_high: Upper end of its 95% interval.
        stored_gap_select: GAP on the part of the hold-out on which the ensemble weights were searched, computed from
            stored predictions of the members.
        stored_gap: Same on the part of the other figures.
        stored_gap_float: Same as `stored_gap`, before quantization.
        accuracy: Share of the videos whose most likely class is right, if every video has exactly one label.
        balanced_accuracy: Mean of this share over the classes, if every video has exactly one label.
        names: Names of the classes; empty if they have none.
        training_videos: Number of training videos, if known.
        holdout_videos: Number of hold-out videos, if known.
        member_gaps: GAP of each member by name.
        latency: Measured latency, or None.
        warnings: What makes the figures doubtful or the model bad, each in a few sentences; see `docs/warnings.md`.
        test: Metrics `test_gap`, `test_gap_low`, `test_gap_high` and `test_videos` on test shards, if there are any.
    """

    description: ExportDescription
    size_bytes: PositiveInt
    budget_bytes: PositiveInt
    weights_by_bits: Mapping[int, int]
    part: Part
    videos: PositiveInt
    gap_top_k: PositiveInt
    gap_exported: float
    gap_low: float
    gap_high: float
    stored_gap_select: float
    stored_gap: float
    stored_gap_float: float
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    names: Mapping[int, str] = {}
    training_videos: int | None = None
    holdout_videos: int | None = None
    member_gaps: Mapping[str, MemberGaps] = {}
    latency: Latency | None = None
    warnings: tuple[str, ...] = ()
    test: Mapping[str, float] = {}


def render_card(facts: CardFacts, texts: CardTexts) -> str:
    """Render the card as Markdown."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    template = environment.from_string(resources.files("yt8m.export").joinpath("model_card.j2").read_text("utf-8"))
    return template.render(
        facts=facts,
        texts=texts,
        description=facts.description,
        data=facts.description.data,
        dequantization=DEQUANTIZATION,
        gap_name=f"GAP@{facts.gap_top_k}",
        unmeasured=MemberGaps(),
        classes=ClassNames(facts.names).labels(range(facts.description.data.num_classes), _LISTED_CLASSES),
    )
