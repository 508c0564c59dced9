import re
from pathlib import Path

from yt8m.data.format import DataSpec
from yt8m.models import ARCHITECTURES
from yt8m.models.formulas import FORMULAS, SHARED
from yt8m.models.sizes import measure
from yt8m.models.weights_table import EXAMPLES, page, settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_documented_weights_are_those_of_the_models():
    remedy = "run python -m yt8m.models.weights_table > docs/models.md"
    assert DOCUMENT.read_text(encoding="utf-8").splitlines() == list(page()), remedy


def test_every_architecture_has_formulas_that_name_all_its_weights():
    assert set(FORMULAS) == set(ARCHITECTURES)
    for config in EXAMPLES.values():
        for path, _ in measure(config, DataSpec()).weights:
            layer, *names = path.split("/")
            text = SHARED if names[0] == "input_normalization" or layer != "pooling" else FORMULAS[config.architecture]
            words = set(re.findall(r"\w+", text + SHARED))
            assert set(names) - {"rgb", "audio", "frames"} <= words, path


def test_the_documented_settings_give_the_documented_models(small):
    for config in EXAMPLES.values():
        assert small.parse(settings(config)) == config
