import hashlib
import textwrap
from pathlib import Path
from typing import Any

import pytest

from pipelines.stages import STAGES
from tests.support.changed_files import append, changed_file, replace
from yt8m import identity
from yt8m.identity import INFRASTRUCTURE, MEASURING, PROJECT, behavior, locked_versions, package_versions
from yt8m.models import ARCHITECTURES
from yt8m.normal_form import normal_form, strip_comments
from yt8m.training.checkpoint import training_digest

SOURCE = '''
"""A module."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Config:
    """A configuration."""

    epochs: int = 2


def train(config: Config, *, steps: "int | None" = None) -> float:
    """Train."""
    total: float = 0.0
    for step in range(steps or config.epochs):
        total += step  # a comment
    return total


def unused() -> None:
    """Do nothing."""
'''


def form(source: str, *, annotations: bool = False) -> str:
    return normal_form(source.encode(), annotations=annotations)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a comment", "# another"),
        ('"""Train."""', '"""Train a model."""'),
        ('    """Train."""\n', ""),
        ('    """A configuration."""\n', ""),
        ('"""Do nothing."""', "pass"),
        ("range(steps or config.epochs)", "range(\n        (steps or config.epochs),\n    )"),
        ('"int | None"', '"Steps"'),
        ("-> float", "-> int"),
        ("total: float = 0.0", "total = 0.0"),
        ("    from pathlib import Path", "    from pathlib import PurePath"),
    ],
)
def test_comments_docstrings_formatting_and_annotations_of_functions_are_no_behavior(old: str, new: str) -> None:
    assert old in SOURCE
    assert form(SOURCE.replace(old, new)) == form(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total += step", "total -= step"),
        ("0.0", "0"),
        ("epochs: int = 2", "epochs: int = 3"),
        ("epochs: int = 2", "epochs: float = 2"),
        ("steps: ", "number: "),
        ("= None", "= 1"),
        ("import TYPE_CHECKING", "import Any"),
    ],
)
def test_everything_else_is_behavior(old: str, new: str) -> None:
    assert old in SOURCE
    assert form(SOURCE.replace(old, new)) != form(SOURCE)


@pytest.mark.parametrize(("old", "new"), [("-> float", "-> int"), ("total: float", "total: int")])
def test_annotations_of_functions_count_on_request(old: str, new: str) -> None:
    assert form(SOURCE.replace(old, new), annotations=True) != form(SOURCE, annotations=True)


def test_the_normal_form_is_the_same_in_every_supported_python() -> None:
    source = textwrap.dedent("""
        @decorated
        async def f(a, /, b=1, *c, d: int = 2, **e):
            x = f"{a!r:>{b}} {b=} é" "s" b"\\x00"[0:1] if a else [*c, {**e}]
            match x:
                case [1, *_] | {"a": None}:
                    return lambda y: (yield)
            try:
                del x
            except* ValueError:
                raise
    """).replace(' b"\\x00"[0:1]', "[0:1]")
    # The same from Python 3.11.7, 3.12.1 and 3.13.0.
    assert hashlib.sha256(form(source).encode()).hexdigest()[:16] == "7a958107bdbe52ed"


def test_a_source_without_comments_does_the_same() -> None:
    stripped = strip_comments(SOURCE)
    assert '"""' not in stripped
    assert "#" not in stripped
    scope: dict[str, Any] = {}
    exec(stripped, scope)
    assert scope["train"](scope["Config"]) == 1.0
    assert form(stripped, annotations=True) == form(SOURCE, annotations=True)


@pytest.mark.parametrize("table", [INFRASTRUCTURE, MEASURING])
def test_every_listed_module_exists_and_has_a_reason(table: dict[str, str]) -> None:
    for module, reason in table.items():
        path = PROJECT.joinpath(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__init__.py").exists(), module
        assert reason


@pytest.mark.parametrize(
    ("stage", "architectures", "file", "changes"),
    [
        ("train", {"dbof"}, "yt8m/models/dbof.py", True),
        ("train", {"dbof"}, "yt8m/models/netvlad.py", False),
        ("train", {"dbof"}, "yt8m/layers/netvlad.py", False),
        ("train", {"dbof"}, "yt8m/losses.py", True),
        ("train", {"dbof"}, "yt8m/storage/__init__.py", False),
        ("train", {"dbof"}, "yt8m/stages/export.py", False),
        ("train", {"dbof"}, "yt8m/ensembling/scores.py", False),
        ("train", {"dbof"}, "yt8m/metrics.py", True),
        ("train", {"dbof"}, "yt8m/stages/evaluate.py", True),
        ("average", {"dbof"}, "yt8m/training/holdout.py", True),
        ("search_weights", set(), "yt8m/ensembling/scores.py", True),
        ("search_weights", set(), "yt8m/models/dbof.py", False),
        ("report", set(), "yt8m/report/page.py", True),
        ("report", set(), "yt8m/report/node_page.py", False),
        ("export", set(), "yt8m/records/record.py", True),
        ("export", set(), "yt8m/report/page.py", False),
        ("train", {"dbof"}, "components/train.py", True),
        ("train", {"dbof"}, "components/step.py", False),
        *(
            (stage, {"dbof"}, f"yt8m/report/{file}", False)
            for stage in (name for name, entry in STAGES.items() if "page" in entry.outputs and name != "report")
            for file in ("node_page.py", "page.py", "templates/curves.j2")
        ),
        ("report", set(), "yt8m/report/templates/headline.j2", True),
        ("export", set(), "yt8m/report/templates/headline.j2", False),
        ("export", set(), "yt8m/export/model_card.j2", True),
    ],
)
def test_code_that_a_stage_executes_is_its_behavior_and_other_code_is_not(
    stage: str, architectures: set[str], file: str, changes: bool
) -> None:
    modules = [f"yt8m.stages.{stage}", f"components.{stage}"]
    before = behavior(modules, architectures, ARCHITECTURES)
    with changed_file(file, append("\nchanged = 1\n")):
        after = behavior(modules, architectures, ARCHITECTURES)
    assert [path for path in before if before[path] != after[path]] == ([file] if changes else [])


@pytest.mark.parametrize("stage", ["train", "average"])
@pytest.mark.parametrize(
    ("file", "changes"),
    [
        *((f"{module.replace('.', '/')}.py", False) for module in MEASURING),
        ("yt8m/data/description.py", False),
        ("yt8m/export/description.py", False),
        ("components/train.py", False),
        ("yt8m/layers/dbof.py", True),
        ("yt8m/losses.py", True),
        ("yt8m/data/soft_targets.py", True),
        ("yt8m/training/streaming_gap.py", True),
        ("yt8m/training/loop.py", True),
        ("yt8m/training/epoch_end/holdout_sample.py", True),
        ("yt8m/metrics.py", True),
    ],
)
def test_what_only_measures_does_not_decide_weights(stage: str, file: str, changes: bool) -> None:
    before = training_digest(stage, "dbof", model={})
    with changed_file(file, append("\nchanged = 1\n")):
        assert (training_digest(stage, "dbof", model={}) != before) == changes


def test_the_annotations_of_a_component_are_behavior() -> None:
    before = behavior(["components.train"], (), ARCHITECTURES)
    with changed_file("components/train.py", replace("partition: Input[Dataset]", "partition: Input[Artifact]")):
        assert behavior(["components.train"], (), ARCHITECTURES) != before


def test_the_images_for_cpus_and_gpus_and_the_development_environment_have_the_same_versions() -> None:
    versions = [locked_versions(PROJECT / "requirements" / f"{name}.lock") for name in ("cpu", "gpu", "dev")]
    assert versions[0] == versions[1] == versions[2]


def test_without_a_checkout_the_installed_versions_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    locked = package_versions()
    monkeypatch.setattr(identity, "_LOCK", tmp_path / "cpu.lock")
    assert package_versions() == locked


def test_a_lock_without_a_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cpu.lock").write_text("keras==3.15.1\n")
    with pytest.raises(ValueError, match=r"one version of tensorflow, received 0.*make lock"):
        locked_versions(tmp_path / "cpu.lock")


def test_a_folder_has_another_digest_with_other_names_or_content(tmp_path: Path) -> None:
    digests: list[str] = []
    for name, content in (("a", "1"), ("b", "1"), ("a", "2")):
        folder = tmp_path / str(len(digests))
        folder.mkdir()
        (folder / name).write_text(content)
        digests.append(identity.folder_digest(folder))
    assert len(set(digests)) == 3
