from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_make_bench_runs_every_benchmark():
    makefile = (ROOT / "Makefile").read_text()
    assert [path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem not in makefile] == []
