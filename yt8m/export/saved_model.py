"""Writes the SavedModel of an ensemble."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from yt8m.export.description import ExportDescription
from yt8m.export.ensemble_module import EnsembleModule, Member
from yt8m.models.files import WEIGHTS_FILE, read_description
from yt8m.progress import progress
from yt8m.quantization.files import iterate_quantized


def write_saved_model(directory: Path, models: Mapping[str, Path], description: ExportDescription) -> None:
    """Write the SavedModel and its description.

    Args:
        directory: An empty folder.
        models: Quantized model folder of every member, or of more models.
        description: What is written.
    """
    with progress("export", total=len(description.members) + 1, unit="models") as advance:
        members = []
        for name, described in description.members.items():
            config = read_description(models[name]).model
            weights = iterate_quantized(models[name] / WEIGHTS_FILE)
            members.append(Member(name, described.weight, config, weights))
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
