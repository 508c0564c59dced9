from pathlib import Path

from yt8m.models.weights_table import EXAMPLES, page, settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_documented_weights_are_those_of_the_models():
    remedy = "run python -m yt8m.models.weights_table > docs/models.md"
    assert DOCUMENT.read_text(encoding="utf-8").splitlines() == list(page()), remedy


def test_the_documented_settings_give_the_documented_models(small):
    for config in EXAMPLES.values():
        assert small.parse(settings(config)) == config
