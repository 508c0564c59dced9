from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli.main import main
from pipelines.kubeflow import size
from tests.support.paths import SMOKE

LINE = "a run takes 10% of Argo's limit at its start, about 19% at its end"


def test_plan_and_compile_say_the_share_of_argo_s_limit(tmp_path: Path) -> None:
    for arguments in (["plan", str(SMOKE)], ["compile", str(SMOKE), "-o", str(tmp_path / "smoke.yaml")]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        assert LINE in " ".join(result.output.split())


def test_too_large_runs_are_refused_before_a_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "MAX_RUN_SHARE", 0.15)
    path = tmp_path / "smoke.yaml"
    refused = CliRunner().invoke(main, ["compile", str(SMOKE), "-o", str(path)])
    assert (refused.exit_code, path.exists()) == (2, False)
    assert CliRunner().invoke(main, ["plan", str(SMOKE)]).exit_code == 2
    assert CliRunner().invoke(main, ["compile", str(SMOKE), "-o", str(path), "--offloaded"]).exit_code == 0
    assert path.exists()
