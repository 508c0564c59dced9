import re

from docs.generate_models_page import EXAMPLES, FORMULAS, PAGE, SHARED, page, settings
from yt8m.data.format import DataSpec
from yt8m.models import ARCHITECTURES
from yt8m.models.files import ModelDescription
from yt8m.models.sizes import measure


def test_the_documented_weights_are_those_of_the_models():
    assert PAGE.read_text(encoding="utf-8").splitlines() == list(page()), "run python -m docs.generate_models_page"


def test_every_architecture_has_formulas_that_name_all_its_weights():
    assert set(FORMULAS) == set(ARCHITECTURES)
    for config in EXAMPLES.values():
        for path, _ in measure(config, DataSpec()).weights:
            layer, *names = path.split("/")
            text = SHARED if names[0] == "input_normalization" or layer != "pooling" else FORMULAS[config.architecture]
            words = set(re.findall(r"\w+", text + SHARED))
            assert set(names) - {"rgb", "audio", "frames"} <= words, path


def test_the_documented_settings_give_the_documented_models():
    for config in EXAMPLES.values():
        described = {"model": settings(config), "data": DataSpec().model_dump(mode="json")}
        assert ModelDescription.parse(described, "docs/models.md").model == config
