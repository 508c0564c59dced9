"""The README: its Python code runs."""

import re
from typing import Any

import pytest

from tests.support.paths import REPOSITORY
from tests.support.toy_ensemble import export_ensemble, write_quantized_model, write_weights
from yt8m.data.synthetic.presets import PRESETS

PAGE = (REPOSITORY / "README.md").read_text()


@pytest.mark.slow
def test_the_exported_model_takes_bytes_and_floats_as_the_readme_says(tmp_path, capsys):
    model = write_quantized_model(tmp_path / "model", 0, spec=PRESETS["smoke"].spec)
    exported = export_ensemble({"model": model}, write_weights(tmp_path / "weights.json", {"model": 1.0}), tmp_path)
    code = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(code) == 2
    names: dict[str, Any] = {}
    for block in code:
        exec(block.replace("runs/smoke/export", str(exported)), names)
        assert names.pop("result")["scores"].shape == (1, 20)
    assert capsys.readouterr().out
