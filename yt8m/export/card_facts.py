"""What a model card tells."""

from collections.abc import Mapping

from pydantic import PositiveInt

from yt8m.config import Config
from yt8m.export.description import ExportDescription


class CardTexts(Config):
    """What only the model's makers know.

    Attributes:
        title: The card's heading.
        data: What the model was trained on.
        intended_use: What it is for, and what not.
        data_license: Licence of the training data.
        model_license: Licence of the model.
    """

    title: str = "Video classifier"
    data: str = "Videos as features of their frames, in YouTube-8M's format."
    intended_use: str = (
        "Telling the topics of a video from features of its frames that were computed exactly as in training. "
        "Not for decisions about people: labels of such data are made by machines and miss much."
    )
    data_license: str = "Not stated. (YouTube-8M's features and labels are CC BY 4.0.)"
    model_license: str = "Not stated."


class MemberGaps(Config):
    """Hold-out GAP of a member; None where it was not measured.

    Attributes:
        floats: With weights of 32 bits.
        quantized: With the weights as exported.
    """

    floats: float | None = None
    quantized: float | None = None


class Latency(Config):
    """Times of an exported model on the machine that exported it.

    Attributes:
        load_seconds: Time to load it.
        batch_seconds: Median time of a call by batch size; all videos as long as they may be.
        device: What it ran on.
    """

    load_seconds: float
    batch_seconds: dict[int, float]
    device: str


class CardFacts(Config):
    """What the run knows.

    Attributes:
        description: Members, data and kind of the export.
        size_bytes: Bytes of the SavedModel without the card.
        budget_bytes: Bytes that it may have.
        weights_by_bits: How many of the members' weights are stored with so many bits.
        gap: GAP of the weighted mean of the members, as exported, on the whole hold-out.
        gap_search: The same on the part of the hold-out on which the weights were searched.
        gap_report: The same on the other part; the figure to quote.
        gap_report_float: As `gap_report`, of the members before quantization; None if not measured.
        training_videos: Videos trained on, if known.
        holdout_videos: Videos held out, if known.
        member_gaps: By member.
        latency: Measured times, if they were measured.
    """

    description: ExportDescription
    size_bytes: PositiveInt
    budget_bytes: PositiveInt
    weights_by_bits: Mapping[int, int]
    gap: float
    gap_search: float
    gap_report: float
    gap_report_float: float | None = None
    training_videos: int | None = None
    holdout_videos: int | None = None
    member_gaps: Mapping[str, MemberGaps] = {}
    latency: Latency | None = None
