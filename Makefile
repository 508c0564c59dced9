# `make help` lists what there is. Every target makes the environment it needs.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements/dev.lock
ROOT ?= runs/demo
COMPILE := $(BIN)/uv pip compile pyproject.toml --python-version 3.11 --generate-hashes --no-header -q
# Which images `make image` and `make push` are about: cpu, gpu or both.
TARGET ?= cpu
# Benchmarks that need nothing.
BENCHMARKS := quantization search_weights export_latency read_videos generate_videos object_storage training_throughput
# What docker/build.sh understands.
export PYTHON DOCKER BASE_IMAGE CA BUILD_OPTIONS
# Nothing but errors from TensorFlow's C++ side, once it is imported.
export TF_CPP_MIN_LOG_LEVEL := 2

.PHONY: help env demo smoke image tag push test test-slow test-jax lint format types imports check lock bench clean

help: ## what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(VENV)/.complete ## the virtual environment .venv, exactly as locked

$(VENV)/.complete: $(LOCK) pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python found. Install Python 3.11, or say which: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "$(PYTHON) is not Python 3.11 to 3.13. Say which to use: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 2; }
	@echo "Making $(VENV) from $(LOCK); the first time about 700 MB are downloaded."
	@rm -f $@ && $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --disable-pip-version-check --no-input --progress-bar off --require-hashes -r $(LOCK) \
	  | awk -v total="$$(grep -c '^[a-z0-9].*==' $(LOCK))" -v terminal="$$(test -t 1 && echo 1 || echo 0)" \
	    '/^(Collecting|Processing)/ {n++; if (terminal) printf "\r\033[K  fetching %d of at most %d: %s", n, total, $$2; else if (n % 25 == 0) printf "  fetching %d of at most %d packages\n", n, total; fflush()} \
	     /^Installing collected/ {printf "%s  installing %d packages ...\n", terminal ? "\r\033[K" : "", n; fflush()}'
	@$(BIN)/pip install --disable-pip-version-check --no-input -q --no-deps --no-build-isolation -e .
	@touch $@
	@echo "The environment is ready: $(BIN)/yt8m --help"

demo: env ## generated videos through the whole pipeline, to a report and one exported model
	$(BIN)/yt8m run pipelines/recipes/demo.yaml --root $(ROOT)

smoke: env ## the whole pipeline in about a minute
	$(BIN)/yt8m run pipelines/recipes/smoke.yaml --root runs/smoke

image: ## the container image of the steps; TARGET="cpu gpu" BASE_IMAGE= CA=
	@for target in $(TARGET); do docker/build.sh "$$target"; done

tag: ## prints the image's tag: the version and a hash of the code and packages in it
	@$(PYTHON) -m pipelines.kubeflow.image | cut -d: -f2

push: ## pushes what `make image` built; REGISTRY=registry.example.com/team TARGET="cpu gpu"
	@for target in $(TARGET); do docker/push.sh "$$target" "$(REGISTRY)"; done

test: env ## the quick tests
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: env ## the tests that take longer
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

test-jax: env ## models, losses, training and its stages on the JAX backend
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 -m "not slow or both_backends" tests/layers tests/models tests/training tests/test_losses.py tests/stages/test_train.py tests/stages/test_average.py

lint: env ## style, docstrings, formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: env ## mends what `make lint` can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: env ## types: strict in the code, less strict in tests
	$(BIN)/mypy

imports: env ## imports point down
	$(BIN)/lint-imports

check: lint types imports test ## everything quick

lock: env ## resolves the dependencies anew and writes requirements/*.lock
	$(BIN)/pip install -q uv
	$(COMPILE) --upgrade --universal --extra cpu --extra pipelines --extra jax --extra s3 --extra dev -o $(LOCK)
	for target in cpu gpu; do $(COMPILE) --extra $$target --extra s3 --python-platform x86_64-manylinux_2_28 -c $(LOCK) -o requirements/$$target.lock; done
	echo kfp==2.17.0 | $(subst pyproject.toml,-,$(COMPILE)) --no-deps -o requirements/kfp.lock

bench: env ## what docs/results.md was measured with; two of them need a finished run: ROOT=
	@for name in $(BENCHMARKS); do echo "== benchmarks/$$name.py"; $(BIN)/python benchmarks/$$name.py; done
	@if test -e $(ROOT)/summary.json; then \
	  echo "== benchmarks/tables_over_seeds.py $(ROOT)"; $(BIN)/python benchmarks/tables_over_seeds.py $(ROOT)/summary.json; \
	  echo "== benchmarks/soft_target_encodings.py $(ROOT)"; $(BIN)/python benchmarks/soft_target_encodings.py \
	    --partition $$(ls -t $(ROOT)/steps/*/prepare/partition | sed 1q) --models $(ROOT)/steps/*/train-netvlad*/model; \
	else \
	  echo "Left out: tables_over_seeds.py and soft_target_encodings.py, for there is no finished run in $(ROOT). make demo makes one; or say where one is: make bench ROOT=runs/smoke"; \
	fi

clean: ## removes the environment and all runs
	rm -rf $(VENV) runs
