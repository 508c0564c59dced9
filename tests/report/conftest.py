"""Made-up records of a run with all stages."""

import itertools
import math
from typing import Any

import pytest

KINDS = ("frequent", "rare_frames", "variance", "order", "co_occurrence")
# family -> (candidates, averaged, GAP of a candidate, gain of a student)
FAMILIES = {
    "netvlad": (4, False, 0.781, 0.0071),
    "netfv": (3, False, 0.775, 0.0080),
    "dbof": (4, True, 0.768, 0.0042),
    "rnn": (3, True, 0.760, 0.0125),
}
CLASSES = {"num_classes": 200, "max_frames": 30, "features": {"rgb": 64, "audio": 16}}
BUDGET_BYTES = 2_000_000


def record(kind: str, name: str = "", **fields: Any) -> dict[str, Any]:
    node = "-".join(part for part in (kind.replace("_", "-"), name) if part)
    return {"node": node, "stage": kind, "name": name, "config": {}, "metrics": {}, "details": {}, **fields}


def measured(record: dict[str, Any], gap: float, seconds: float, size: int) -> dict[str, Any]:
    """Add the figures of a measured model to a record."""
    name = record["name"]
    metrics = {
        "gap": gap,
        "gap_top_k": 20.0,
        "map": gap - 0.31,
        "hit_at_1": gap + 0.05,
        "perr": gap - 0.06,
        "loss": 9.1 - 5 * gap,
        "evaluation_seconds": seconds,
        "bytes": float(size),
        "gap_low": gap - 0.017,
        "gap_high": gap + 0.016,
        "gap_error": 0.0084,
        "gap_select": gap + 0.0013,
        "videos": 1190.0,
        "select_videos": 1210.0,
        "baseline_gap": 0.1334,
        "gain_error": 0.0091,
    }
    kinds = {kind: gap - 0.1 + 0.05 * math.sin(3 * place + len(name) + 40 * gap) for place, kind in enumerate(KINDS)}
    return {
        **record,
        "metrics": record["metrics"] | metrics,
        "details": record["details"] | {"gap_by_kind": kinds, "part": "report"},
        "seconds": record["seconds"] + seconds + 3,
    }


def curve(gap: float) -> list[dict[str, float]]:
    return [
        {
            "epoch": float(1 + (step - 1) // 200),
            "step": float(step),
            "examples": 64.0 * step,
            "loss": 25 + 9 * math.exp(-step / 120) - 25 * gap,
            "gap": gap * (1 - math.exp(-step / 90)),
            "learning_rate": 2e-4,
            "holdout_gap": gap * (1 - math.exp(-step / 70)) if step % 200 == 0 else None,
            "holdout_loss": 26 + 9 * math.exp(-step / 110) - 25 * gap if step % 200 == 0 else None,
        }
        for step in range(20, 620, 20)
    ]


def model_records(name: str, family: str, gap: float, averaged: bool) -> list[dict[str, Any]]:
    of = {"family": family}
    size = 900_000 + 40_000 * len(name) + 1000 * sum(map(ord, name))
    metrics = {"training_loss": 5.5, "training_gap": gap + 0.05, "seconds": 31.5, "kept_epoch": 2.0, "epochs_done": 3.0}
    settings = {
        "epochs": {"value": 3, "reason": "stated in the recipe", "automatic": False},
        "batch_size": {"value": 64, "reason": "9,600 training videos / 150 steps", "automatic": True},
    }
    trained = {"metrics": metrics, "details": {"curve": curve(gap), "settings": settings}, "seconds": 34.2}
    train = record("train", name, config={"model": {"architecture": family}}, **of, **trained)
    if not averaged:
        return [measured(train, gap, 4.2, size)]
    metrics = {"gap_before": gap - 0.0021, "gap_after": gap, "kept": 1.0, "seconds": 8.5}
    metrics |= {"gap_select_before": gap - 0.0008, "gap_select_after": gap + 0.0013}
    average = record("average", name, metrics=metrics, seconds=9.0, **of)
    return [measured(train, gap - 0.0021, 4.1, size), measured(average, gap, 4.2, size)]


def quantized_records(name: str, family: str, gap: float, size: int) -> list[dict[str, Any]]:
    of = {"family": family}
    variables = [
        {
            "name": "pooling/kernel",
            "shape": [80, 512],
            "quantized": True,
            "bytes_after": 41984,
            "largest_error": 0.0004,
        },
        {"name": "head/bias", "shape": [512], "quantized": False, "bytes_after": 2048, "largest_error": 0.0},
    ]
    metrics = {"bytes_before": float(size), "bytes_after": size * 0.26, "bits": 8.0, "largest_error": 0.00041}
    quantized = record("quantize", name, metrics=metrics, details={"variables": variables}, seconds=0.8, **of)
    return [measured(quantized, gap - 0.00004, 4.5, int(size * 0.26))]


def family_records(family: str, count: int, averaged: bool, gap: float, gain: float) -> list[dict[str, Any]]:
    names = [f"{family}-{letter}" for letter in "abcd"[:count]]
    records = []
    for place, name in enumerate(names):
        records += model_records(name, family, gap + 0.001 * place, averaged)
    table = [
        {"members": list(members), "gap_select": gap + 0.0112 - 0.0003 * place, "gap": gap + 0.011 - 0.0003 * place}
        for place, members in enumerate(itertools.combinations(names, 3))
    ]
    records.append(
        record(
            "select_teachers",
            "",
            node=f"select-{family}",
            family=family,
            metrics={"gap": table[0]["gap"], "gap_select": table[0]["gap_select"]},
            details={"table": table, "chosen": table[0]["members"], "part": "report"},
            seconds=2.0,
        )
    )
    records.append(
        record(
            "soft_targets", "", node=f"soft-targets-{family}", family=family, metrics={"videos": 9600.0}, seconds=21.0
        )
    )
    for place, baseline in enumerate(names[:2]):
        student = f"{baseline}-student"
        student_gap = gap + 0.001 * place + gain + 0.0004 * place
        records += model_records(student, family, student_gap, averaged)
        records += quantized_records(student, family, student_gap, 1_100_000 + 70_000 * place)
    return records


@pytest.fixture
def full_run() -> list[dict[str, Any]]:
    """Return the records of a run with four families of teachers and students, a baseline, search and export."""
    data = {"training_videos": 9600.0, "holdout_videos": 2400.0, "size_bytes": 48.3e6, "mean_labels": 3.02}
    data |= {"select_videos": 1210.0, "report_videos": 1190.0, "holdout_videos_in_training": 0.0}
    damaged = {"damaged_shards": ["train-07.tfrecord: damaged at byte 4096 (record 11): bad checksum"]}
    records = [record("prepare", metrics=data, details=damaged, config={"spec": CLASSES, "seed": 1}, seconds=3.1)]
    records += model_records("logistic", "logistic", 0.701, False)
    for family, options in FAMILIES.items():
        records += family_records(family, *options)
    return [*records, *ensemble_records()]


def ensemble_records() -> list[dict[str, Any]]:
    weights = {"netvlad-a-student": 0.21, "netvlad-b-student": 0.17, "netfv-a-student": 0.2, "dbof-a-student": 0.14}
    weights |= {"dbof-b-student": 0.1, "rnn-a-student": 0.13, "rnn-b-student": 0.05}
    flat = dict.fromkeys(weights, 1 / 7)
    gaps = {"flat": (0.80241, 0.80199), "random": (0.80391, 0.80332), "ours": (0.80467, 0.80413)}
    methods = [
        {"method": method, "gap_select": searched, "gap": gap}
        | {"trials": 1 if method == "flat" else 500, "size_bytes": 1_931_000}
        | {"members": weights if method == "ours" else flat}
        for method, (searched, gap) in gaps.items()
    ]
    frontier = [
        {"size_bytes": 280_000 * count, "gap_select": 0.8047 - 0.017 * math.exp(1 - count)}
        | {"gap": 0.8036 - 0.016 * math.exp(1 - count), "members": dict(list(weights.items())[:count])}
        | {"sizes": dict.fromkeys(list(weights)[:count], "4")}
        for count in range(1, len(weights) + 1)
    ]
    members = [
        {
            "name": name,
            "family": name.split("-")[0],
            "size": "8",
            "size_bytes": 275_857,
            "size_share": 1 / 7 if weight else 0.0,
        }
        | {"weight": weight, "gap_select": 0.78, "gap": 0.78}
        for name, weight in [*weights.items(), ("netfv-b-student", 0.0)]
    ]
    details = {
        "methods": methods,
        "members": members,
        "frontier": frontier,
        "paper_point": {
            "size_bytes": 1_931_000,
            "gap_select": 0.80433,
            "gap": 0.80377,
            "members": weights,
            "sizes": dict.fromkeys(weights, "8"),
        },
        "guard": {
            "best_searched": "ours",
            "gain_over_flat": 0.00226,
            "standard_error": 0.00071,
            "min_gain_errors": 2.0,
            "taken": "ours",
        },
        "part": "report",
        "random_trials": {"min": 0.7771, "median": 0.8002, "max": 0.80391},
    }
    metrics = {"gap": 0.80413, "gap_select": 0.80467, "gap_float": 0.80418, "videos": 1190.0, "select_videos": 1210.0}
    metrics |= {"budget_bytes": float(BUDGET_BYTES)}
    search = record("search_weights", metrics=metrics, details=details, seconds=12.0)
    metrics = {"bytes": 1_948_000.0, "budget_bytes": float(BUDGET_BYTES), "members": 7.0, "load_seconds": 1.52}
    metrics |= {"seconds_batch_1": 0.0121, "seconds_batch_16": 0.0713}
    export = record("export", config={"mode": "load", "budget_bytes": None}, metrics=metrics, seconds=14.0)
    return [search, measured(export, 0.80412, 16.0, 1_948_000)]


@pytest.fixture
def students() -> dict[str, dict[str, str]]:
    """Return what the students of `full_run` learned from."""
    return {
        f"{family}-{letter}-student": {"learn_from": family, "baseline": f"{family}-{letter}"}
        for family in FAMILIES
        for letter in "ab"
    }


@pytest.fixture
def minimal_run() -> list[dict[str, Any]]:
    """Return the records of a run that prepares data, and trains and evaluates one model."""
    metrics = {"training_videos": 100.0, "holdout_videos": 20.0}
    return [record("prepare", metrics=metrics), *model_records("dbof1", "dbof", 0.61, False)]
