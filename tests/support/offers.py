"""What the search for weights reads of members, for tests."""

from collections.abc import Mapping
from pathlib import Path

from yt8m.ensembling.files import OffersFile
from yt8m.ensembling.members import Offers
from yt8m.predictions import Predictions

# Bytes and predictions of a model by size.
Sizes = Mapping[str, tuple[int, Predictions]]


def write_offers(folder: Path, sizes: Sizes, floats: Predictions | None = None, family: str = "dbof") -> Path:
    """Write the offers of a member; return their folder.

    Args:
        folder: Folder to write.
        sizes: Bytes and predictions of the model by size.
        floats: Predictions of the model before quantization; those of the first size if left out.
        family: Architecture of the model.
    """
    offers = Offers(folder)
    folder.mkdir(parents=True)
    for size, (_, predictions) in sizes.items():
        predictions.save(offers.predictions(size))
    first, *_ = (predictions for _, predictions in sizes.values())
    (floats or first).save(offers.float_predictions)
    OffersFile(family=family, sizes={size: count for size, (count, _) in sizes.items()}).save(offers.description)
    return folder
