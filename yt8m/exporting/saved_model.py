"""Writes the SavedModel of an ensemble."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from yt8m.exporting.description import ExportDescription
from yt8m.exporting.ensemble_module import EnsembleModule, Member
from yt8m.models.files import WEIGHTS_FILE, read_description
from yt8m.progress import progress
from yt8m.quantization.files import iterate_quantized


def write_saved_model(directory: Path, models: Mapping[str, Path], description: ExportDescription) -> None:
    """Writes the SavedModel and its description.

    Args:
        directory: An empty folder.
        models: Quantized model folder of every member.
        description: What is written; its members are those of `models`.
    """
    with progress("export", total=len(models) + 1, unit="models") as advance:
        members = []
        for name, model in models.items():
            config = read_description(model).model
            weights = iterate_quantized(model / WEIGHTS_FILE)
            members.append(Member(name, description.members[name].weight, config, weights))
        module = EnsembleModule(
            members,
            description.data,
            top_k=description.top_k,
            mode=description.mode,
            identity=description.identity,
            on_member=lambda name: advance(note=name),
        )
        tf.saved_model.save(module, str(directory), signatures=module.signatures())
        description.save(directory)
        advance(note="written")
