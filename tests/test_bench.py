from tests.support.paths import REPOSITORY


def test_make_bench_runs_every_benchmark():
    makefile = (REPOSITORY / "Makefile").read_text()
    assert [path.stem for path in (REPOSITORY / "benchmarks").glob("*.py") if path.stem not in makefile] == []
