"""Stage `export`: writes the ensemble as one TensorFlow SavedModel within a byte budget, with a model card."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import PositiveInt

from yt8m import storage
from yt8m.config import Config
from yt8m.ensembling.files import EnsembleWeights
from yt8m.errors import ConfigError, DataError, suggest
from yt8m.export.budget import check_budget, directory_bytes
from yt8m.export.description import (
    CARD_FILE,
    EXTRA_FOLDER,
    VOCABULARY_FILE,
    ExportDescription,
    MemberDescription,
    ensemble_digest,
)
from yt8m.export.latency import measure_latency
from yt8m.export.model_card import CardFacts, CardTexts, MemberGaps, render_card
from yt8m.export.vocabulary import read_vocabulary, write_vocabulary
from yt8m.models.files import WEIGHTS_FILE, ModelDescription, read_description
from yt8m.quantization.files import count_by_bits
from yt8m.report.record import load_records
from yt8m.report.run import Run
from yt8m.stages.evaluate import EvaluateConfig
from yt8m.stages.result import StageResult


class ExportingConfig(Config):
    """How the ensemble is exported.

    Attributes:
        mode: `load` dequantizes the weights once, when the model is loaded; calls are as fast as those of a float
            model. `compact` keeps them quantized in memory and dequantizes them one at a time in every call.
        budget_bytes: Maximum bytes of the SavedModel. None means the budget of `search_weights`.
        top_k: Number of classes that the model returns.
        vocabulary: CSV file of class names with columns `Index` and `Name`, copied into the model. Empty means none.
        latency_batch_sizes: Batch sizes for which the latency of the exported model is measured.
        card: Texts of the model card.
    """

    mode: Literal["load", "compact"] = "load"
    budget_bytes: PositiveInt | None = None
    top_k: PositiveInt = 20
    vocabulary: str = ""
    latency_batch_sizes: tuple[PositiveInt, ...] = (1, 16)
    card: CardTexts = CardTexts()


class ExportConfig(ExportingConfig):
    """Export, and how the exported model is measured.

    Attributes:
        evaluation: How the model is measured on the hold-out videos.
    """

    evaluation: EvaluateConfig = EvaluateConfig()


def export(
    *,
    models: Mapping[str, Path],
    weights: Path,
    config: ExportConfig,
    output: Path,
    card: Path,
    records: Sequence[Path] = (),
) -> StageResult:
    """Write the SavedModel and its card.

    Args:
        models: Quantized model folder by name. Models that are not members are ignored.
        weights: File of the members and their weights, as written by `search_weights`.
        config: Mode, budget and texts.
        output: Folder of the SavedModel, written atomically.
        card: File of the model card in Markdown. A copy is written to `output` as `README.md`.
        records: Record files of the run's nodes, from which the card takes the members' GAP and the number of videos.

    Returns:
        Metrics `bytes` (of `output`), `budget_bytes`, `member_bytes` (of the members' quantized weights), `members`,
        `seconds`, and if latency is measured `load_seconds` and `seconds_batch_<size>`; details `description`.

    Raises:
        BudgetError: The SavedModel exceeds its budget; nothing is left in `output`.
        ConfigError: A member is not among `models`, or members were trained on different kinds of data.
        DataError: A model is missing or damaged, or the vocabulary is invalid.
    """
    from yt8m.export.saved_model import write_saved_model  # noqa: PLC0415 - TensorFlow; recipes need ExportConfig only

    start = time.monotonic()
    ensemble = EnsembleWeights.load(weights)
    members = _member_folders(ensemble, models, str(weights))
    description = _describe(ensemble, members, config)
    budget = config.budget_bytes or ensemble.budget_bytes
    names = read_vocabulary(config.vocabulary, description.data.num_classes) if config.vocabulary else {}

    def write(folder: Path, described: ExportDescription) -> int:
        """Write everything except the card; return the bytes written."""
        write_saved_model(folder, members, described)
        if names:
            write_vocabulary(folder / EXTRA_FOLDER / VOCABULARY_FILE, names)
        return directory_bytes(folder)

    def size_of(member: str) -> int:
        alone = description.model_copy(update={"members": {member: description.members[member]}})
        with TemporaryDirectory() as folder:
            return write(Path(folder), alone)

    with storage.publish_directory(output) as folder:
        # The size is known only after writing: the graph of small models may be as large as their weights.
        check_budget(write(folder, description), budget, ensemble.members, size_of)
        latency = measure_latency(folder, config.latency_batch_sizes) if config.latency_batch_sizes else None
        facts = CardFacts(
            description=description,
            size_bytes=directory_bytes(folder),
            budget_bytes=budget,
            weights_by_bits=_count_by_bits(members.values()),
            gap=ensemble.gap,
            gap_search=ensemble.gap_search,
            gap_report=ensemble.gap_report,
            gap_report_float=ensemble.gap_report_float,
            latency=latency,
            **_facts_of_run(Run(load_records(records)), description),
        )
        text = render_card(facts, config.card)
        (folder / CARD_FILE).write_text(text, encoding="utf-8")
        size_bytes = directory_bytes(folder)
        check_budget(size_bytes, budget, ensemble.members, size_of)
    with storage.open_atomic(card, "w") as file:
        file.write(text)
    return _result(facts, size_bytes, time.monotonic() - start)


def _member_folders(ensemble: EnsembleWeights, models: Mapping[str, Path], source: str) -> dict[str, Path]:
    """Return the members' folders in the order of the weights."""
    for name in ensemble.members:
        if name not in models:
            raise ConfigError(f"{source}: members: model '{name}' is not among the models. {suggest(name, models)}")
    return {name: models[name] for name in ensemble.members}


def _describe(ensemble: EnsembleWeights, members: Mapping[str, Path], config: ExportConfig) -> ExportDescription:
    first, *others = members
    models: dict[str, ModelDescription] = {name: read_description(folder) for name, folder in members.items()}
    data = models[first].data
    for name in others:
        # Compared as text, because the order of features matters.
        if models[name].data.model_dump_json() != data.model_dump_json():
            raise ConfigError(
                f"{members[name]}: data: expected {data.model_dump_json()} as '{first}' has, received "
                f"{models[name].data.model_dump_json()}. Members must be trained on the same kind of data."
            )
    described = {
        name: MemberDescription(
            weight=ensemble.members[name],
            family=models[name].model.architecture,
            size_bytes=_weights_bytes(folder),
        )
        for name, folder in members.items()
    }
    return ExportDescription(
        data=data,
        members=described,
        mode=config.mode,
        top_k=min(config.top_k, data.num_classes),
        identity=ensemble_digest(members, ensemble.members),
    )


def _weights_bytes(folder: Path) -> int:
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise DataError(f"{path}: file not found. Give a folder written by the quantize step.")
    return path.stat().st_size


def _count_by_bits(folders: Iterable[Path]) -> dict[int, int]:
    counts = sum((Counter(count_by_bits(folder / WEIGHTS_FILE)) for folder in folders), Counter())
    return dict(sorted(counts.items()))


def _facts_of_run(run: Run, description: ExportDescription) -> dict[str, Any]:
    """Collect facts for the card from the records of the run's other nodes."""
    prepare = run.first("prepare")
    counts = {name: prepare.metrics.get(name) if prepare else None for name in ("training_videos", "holdout_videos")}
    gaps = {
        name: MemberGaps(floats=run.models[name].gap, quantized=run.models[name].metric("evaluate_quantized", "gap"))
        for name in description.members
        if name in run.models
    }
    return {"member_gaps": gaps, **{name: int(count) for name, count in counts.items() if count is not None}}


def _result(facts: CardFacts, size_bytes: int, seconds: float) -> StageResult:
    members = facts.description.members
    metrics = {
        "bytes": float(size_bytes),
        "budget_bytes": float(facts.budget_bytes),
        "member_bytes": float(sum(member.size_bytes for member in members.values())),
        "members": float(len(members)),
        "seconds": seconds,
    }
    if facts.latency:
        metrics["load_seconds"] = facts.latency.load_seconds
        metrics |= {f"seconds_batch_{size}": each for size, each in facts.latency.batch_seconds.items()}
    return StageResult(metrics, {"description": facts.description.model_dump(mode="json")})
