"""Stage `export`: writes the ensemble as one TensorFlow SavedModel within a byte budget, and measures it."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import PositiveInt

from yt8m import storage
from yt8m.config import Config
from yt8m.data.format import DataSpec
from yt8m.data.partition import Partition
from yt8m.data.vocabulary.files import VOCABULARY_NAME, write_vocabulary
from yt8m.data.vocabulary.names import read_vocabulary
from yt8m.ensembling.files import EnsembleWeights
from yt8m.ensembling.members import Member
from yt8m.errors import ConfigError, DataError, suggest
from yt8m.export.budget import check_budget, directory_bytes
from yt8m.export.description import (
    CARD_FILE,
    EXTRA_FOLDER,
    ExportDescription,
    MemberDescription,
    ensemble_digest,
    float_inputs,
)
from yt8m.export.latency import measure_latency
from yt8m.export.model_card import CardFacts, CardTexts, MemberGaps, render_card
from yt8m.models.files import WEIGHTS_FILE, ModelDescription, read_description
from yt8m.quantization.files import count_by_bits
from yt8m.records.record import NodeRecord
from yt8m.report.run import ModelRun, Run
from yt8m.report.warnings.rules import find_warnings
from yt8m.stages.evaluate import EvaluateConfig, evaluate, with_evaluation
from yt8m.stages.final_test import measure_on_test
from yt8m.stages.result import StageResult


class ExportingConfig(Config):
    """How the ensemble is exported.

    Attributes:
        mode: `load` dequantizes the weights once, when the model is loaded; calls are as fast as those of a float
            model. `compact` keeps them quantized in memory and dequantizes them one at a time in every call (the paper:
            compact).
        budget_bytes: Largest size of the SavedModel in bytes. Null means that of the search,
            `ensemble.search.budget_bytes`.
        top_k: Number of classes that the model returns for a video, the most likely first (the paper: 20).
        vocabulary: File of class names, which are copied into the model: CSV with columns `Index` and `Name`, as
            YouTube-8M's, or `index` and `display_name`, as AudioSet's, or a text file with one name per line. It must
            have every class, and no other. It is read when the run starts, and a change repeats the export alone. Left
            out, it is the file that `dataset.json` beside the shards names. Empty means no names.
        latency_batch_sizes: Batch sizes for which the latency of the exported model is measured.
        card: Texts of the model card, which is written beside the model.
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
        evaluation: How the model is measured on the hold-out and test videos.
        test: Glob patterns of labeled test shards, on which the exported model is measured once.
    """

    test: tuple[str, ...] = ()
    evaluation: EvaluateConfig = EvaluateConfig()


def export(
    *,
    partition: Path,
    members: Mapping[str, Path],
    weights: Path,
    config: ExportConfig,
    output: Path,
    card: Path,
    records: Sequence[NodeRecord] = (),
) -> StageResult:
    """Write the SavedModel and its card, and measure the SavedModel on the hold-out videos.

    Args:
        partition: Partition file with the hold-out shards.
        members: Folder of each member by name, as written by `quantize`. Members without a weight are ignored.
        weights: File of the members and their weights, as written by `search_weights`.
        config: Mode, budget and texts, and how the model is measured.
        output: Folder of the SavedModel, written atomically.
        card: File of the model card in Markdown. A copy is written to `output` as `README.md`.
        records: Records of the run's nodes, from which the card takes the members' GAP and the number of videos.

    Returns:
        Metrics and details of `evaluate` for the SavedModel, and with test shards the metrics of `measure_on_test`.
        Metrics `bytes` (of `output`), `budget_bytes`, `member_bytes` (of the members' quantized weights), `members`,
        `parameters` (of all members), `seconds` (without the evaluation), and if latency is measured `load_seconds`,
        `seconds_batch_<size>` (of calls with bytes) and `float_seconds_batch_<size>` (of calls with floats); details
        `description`, and `device`, on which latency was measured.

    Raises:
        BudgetError: The SavedModel exceeds its budget; nothing is left in `output`.
        ConfigError: A model with a weight is not among `members`, or members were trained on different kinds of data.
        DataError: A member is missing or damaged, the partition's videos differ from those that the members were
            trained on, the vocabulary is invalid, or shards cannot be read.
    """
    from yt8m.export.saved_model import write_saved_model  # noqa: PLC0415 - TensorFlow; recipes need ExportConfig only

    start = time.monotonic()
    ensemble = EnsembleWeights.load(weights)
    models = _model_folders(ensemble, members, str(weights))
    spec = Partition.load(partition).spec
    description = _describe(ensemble, models, spec, config)
    budget = config.budget_bytes or ensemble.budget_bytes
    names = read_vocabulary(config.vocabulary, description.data.num_classes) if config.vocabulary else {}

    def write(folder: Path, described: ExportDescription) -> int:
        """Write everything except the card; return the bytes written."""
        write_saved_model(folder, models, described)
        if names:
            write_vocabulary(folder / EXTRA_FOLDER / VOCABULARY_NAME, names)
        return directory_bytes(folder)

    def size_of(member: str) -> int:
        alone = description.model_copy(update={"members": {member: description.members[member]}})
        with TemporaryDirectory() as folder:
            return write(Path(folder), alone)

    with storage.publish_directory(output) as folder:
        # The size is known only after writing: the graph of small models may be as large as their weights.
        check_budget(write(folder, description), budget, ensemble.members, size_of)
        latency = measure_latency(folder, config.latency_batch_sizes) if config.latency_batch_sizes else None
        seconds = time.monotonic() - start
        evaluated = evaluate(partition=partition, model=folder, config=config.evaluation, predictions=None)
        tested = measure_on_test(config.test, partition=partition, model=folder, config=config.evaluation)
        facts = CardFacts(
            description=description,
            size_bytes=directory_bytes(folder),
            budget_bytes=budget,
            names=names,
            weights_by_bits=_count_by_bits(models.values()),
            part=evaluated.details["part"],
            videos=int(evaluated.metrics["videos"]),
            gap_top_k=int(evaluated.metrics["gap_top_k"]),
            gap_exported=evaluated.metrics["gap"],
            gap_low=evaluated.metrics["gap_low"],
            gap_high=evaluated.metrics["gap_high"],
            stored_gap_select=ensemble.gap_select,
            stored_gap=ensemble.gap,
            stored_gap_float=ensemble.gap_float,
            accuracy=evaluated.metrics.get("accuracy"),
            balanced_accuracy=evaluated.metrics.get("balanced_accuracy"),
            latency=latency,
            warnings=_warnings(
                records, StageResult({**evaluated.metrics, **tested}, evaluated.details), ensemble.members
            ),
            test=tested,
            **_facts_of_run(records, description),
        )
        text = render_card(facts, config.card)
        (folder / CARD_FILE).write_text(text, encoding="utf-8")
        size_bytes = directory_bytes(folder)
        check_budget(size_bytes, budget, ensemble.members, size_of)
    with storage.open_atomic(card, "w") as file:
        file.write(text)
    result = with_evaluation(_result(facts, seconds), evaluated)
    # The evaluated folder had no card yet.
    return StageResult({**result.metrics, **tested, "bytes": float(size_bytes)}, result.details)


def _model_folders(ensemble: EnsembleWeights, members: Mapping[str, Path], source: str) -> dict[str, Path]:
    """Return the folders of the members' models in the order of the weights."""
    for name in ensemble.members:
        if name not in members:
            raise ConfigError(f"{source}: members: model '{name}' is not among the members. {suggest(name, members)}")
    sizes = ensemble.sizes
    return {name: Member.open(name, members[name], sizes[name]).model(sizes[name]) for name in ensemble.members}


def _describe(
    ensemble: EnsembleWeights, folders: Mapping[str, Path], spec: DataSpec, config: ExportConfig
) -> ExportDescription:
    """Describe the exported model, after a check that all members fit each other and the hold-out videos."""
    from yt8m.models.inference import check_spec  # noqa: PLC0415 - Keras

    first, *others = folders
    models: dict[str, ModelDescription] = {name: read_description(folder) for name, folder in folders.items()}
    for name in others:
        if difference := models[name].data.difference(models[first].data):
            raise ConfigError(
                f"{folders[name]}: '{name}' was made for other videos than '{first}' ({difference}). Members must be "
                "trained on the same kind of data."
            )
    check_spec(folders[first], models[first].data, spec)
    described = {
        name: MemberDescription(
            weight=ensemble.members[name],
            size=ensemble.sizes[name],
            family=models[name].model.architecture,
            size_bytes=_weights_bytes(folder),
        )
        for name, folder in folders.items()
    }
    return ExportDescription(
        # Programs that read the description need not know the default range.
        data=spec.model_copy(update={"ranges": {name: spec.range_of(name) for name in spec.features}}),
        float_inputs=float_inputs(spec.features),
        members=described,
        mode=config.mode,
        top_k=min(config.top_k, spec.num_classes),
        scores="distribution" if all(each.model.head.kind == "softmax" for each in models.values()) else "independent",
        identity=ensemble_digest(folders, ensemble.members),
    )


def _weights_bytes(folder: Path) -> int:
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise DataError(f"{path}: file not found. Give a folder written by the quantize step.")
    return path.stat().st_size


def _count_by_bits(folders: Iterable[Path]) -> dict[int, int]:
    counts = sum((Counter(count_by_bits(folder / WEIGHTS_FILE)) for folder in folders), Counter())
    return dict(sorted(counts.items()))


def _facts_of_run(records: Sequence[NodeRecord], description: ExportDescription) -> dict[str, Any]:
    """Collect facts for the card from the records of the run; the search knows the GAP of members of other runs."""
    run = Run(records)
    prepare, search = run.first("prepare"), run.first("search_weights")
    table = search.details.get("members", ()) if search else ()
    searched = {member["name"]: member.get("gap") for member in table}
    prepared = prepare.metrics if prepare else {}
    facts: dict[str, Any] = {
        name: int(prepared[name]) for name in ("training_videos", "holdout_videos") if name in prepared
    }
    models = {name: run.models.get(name) or ModelRun(name, "") for name in description.members}
    gaps = {
        name: MemberGaps(floats=model.gap, quantized=searched.get(name, model.metric("quantize", "gap")))
        for name, model in models.items()
    }
    return {"member_gaps": gaps, **facts}


def _warnings(records: Sequence[NodeRecord], evaluated: StageResult, members: Iterable[str]) -> tuple[str, ...]:
    """Return the warnings of the run that concern the exported model: all but those of other models."""
    exported = NodeRecord(node="export", stage="export", metrics=evaluated.metrics, details=evaluated.details)
    others = {record.node for record in records if record.name and record.name not in set(members)}
    return tuple(
        f"**{each.title}** (`{each.node}`): {each.text} {each.cause}"
        for each in find_warnings(Run([*records, exported]))
        if each.node not in others
    )


def _result(facts: CardFacts, seconds: float) -> StageResult:
    members = facts.description.members
    metrics = {
        "budget_bytes": float(facts.budget_bytes),
        "member_bytes": float(sum(member.size_bytes for member in members.values())),
        "members": float(len(members)),
        "parameters": float(sum(facts.weights_by_bits.values())),
        "seconds": seconds,
    }
    details: dict[str, Any] = {"description": facts.description.model_dump(mode="json")}
    if facts.latency:
        details["device"] = facts.latency.device
        metrics["load_seconds"] = facts.latency.load_seconds
        metrics |= {f"seconds_batch_{size}": each for size, each in facts.latency.batch_seconds.items()}
        metrics |= {f"float_seconds_batch_{size}": each for size, each in facts.latency.float_seconds.items()}
    return StageResult(metrics, details)
