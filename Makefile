# `make help` lists the targets. Every target makes the environment if it needs one.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
# GPU=1: TensorFlow with CUDA, for NVIDIA GPUs. An environment keeps its kind until `make env GPU=0` or GPU=1 changes it.
GPU ?= $(if $(wildcard $(VENV)/.complete-gpu),1,0)
$(if $(filter-out 0 1,$(GPU)),$(error GPU=$(GPU): give GPU=1 or GPU=0))
KIND := $(if $(filter 1,$(GPU)),-gpu)
LOCK := requirements/dev$(KIND).lock
STAMP := $(VENV)/.complete$(KIND)
SIZE := $(if $(KIND),3.8 GB,700 MB)
ROOT ?= runs/demo
ENVIRONMENT_EXTRAS := --extra pipelines --extra jax --extra s3 --extra dev
COMPILE := $(BIN)/uv pip compile pyproject.toml --python-version 3.11 --generate-hashes --no-header -q
# Images of `make image` and `make push`: cpu, gpu or both.
TARGET ?= cpu
# Benchmarks that need no finished run.
BENCHMARKS := quantization search_weights export_latency read_videos generate_videos object_storage training_throughput
# Variables that docker/build.sh reads.
export PYTHON DOCKER BASE_IMAGE CA BUILD_OPTIONS
# Only errors of TensorFlow's C++ code.
export TF_CPP_MIN_LOG_LEVEL := 2

.PHONY: help env demo smoke image tag push test test-slow test-jax lint format types imports check lock bench bench-auto bench-shuffled bench-bits clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP) ## make the virtual environment .venv, exactly as locked; GPU=1 for NVIDIA GPUs

$(STAMP): $(LOCK) pyproject.toml
	@test -z "$(KIND)" || test "$$(uname -sm)" = "Linux x86_64" || { echo "GPU=1: TensorFlow uses NVIDIA GPUs on Linux with x86_64 only, and this is $$(uname -sm). Leave out GPU=1." >&2; exit 2; }
	@test -n "$(PYTHON)" || { echo "No Python found. Install Python 3.11, or give its path: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "$(PYTHON) is not Python 3.11 to 3.13. Give the path of one: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) cannot make virtual environments. On Debian, run: apt-get install python3-venv" >&2; exit 2; }
	@echo "Making $(VENV) from $(LOCK). The first time, this downloads about $(SIZE)."
	@rm -f $@ && $(PYTHON) -m venv $(if $(wildcard $(STAMP)),,--clear) $(VENV)
	@$(BIN)/pip install --disable-pip-version-check --no-input --progress-bar off --require-hashes -r $(LOCK) \
	  | awk -v total="$$(grep -c '^[a-z0-9].*==' $(LOCK))" -v terminal="$$(test -t 1 && echo 1 || echo 0)" \
	    '/^(Collecting|Processing)/ {n++; if (terminal) printf "\r\033[K  downloading %d of at most %d: %s", n, total, $$2; else if (n % 25 == 0) printf "  downloading %d of at most %d packages\n", n, total; fflush()} \
	     /^Installing collected/ {printf "%s  installing %d packages ...\n", terminal ? "\r\033[K" : "", n; fflush()}'
	@$(BIN)/pip install --disable-pip-version-check --no-input -q --no-deps --no-build-isolation -e .
	@touch $@
	@echo "The environment is ready: $(BIN)/yt8m --help, $(BIN)/yt8m doctor"

demo: env ## run the whole pipeline on synthetic videos, up to a report and one exported model
	$(BIN)/yt8m run pipelines/recipes/demo.yaml --root $(ROOT)

smoke: env ## run the whole pipeline in about a minute
	$(BIN)/yt8m run pipelines/recipes/smoke.yaml --root runs/smoke

image: ## build the container image of the steps; TARGET="cpu gpu" BASE_IMAGE= CA=
	@for target in $(TARGET); do docker/build.sh "$$target"; done

tag: ## print the tag of the image: the version and a hash of its code and packages
	@$(PYTHON) -m pipelines.kubeflow.image | cut -d: -f2

push: ## push what `make image` built; REGISTRY=registry.example.com/team TARGET="cpu gpu"
	@for target in $(TARGET); do docker/push.sh "$$target" "$(REGISTRY)"; done

test: env ## run the quick tests
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: env ## run the slow tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

test-jax: env ## run the tests of models, losses and training on the JAX backend
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 -m "not slow or both_backends" tests/layers tests/models tests/training tests/test_losses.py tests/stages/test_train.py tests/stages/test_average.py

lint: env ## check style, docstrings and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: env ## format the code and apply automatic fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: env ## check types, strictly except in tests
	$(BIN)/mypy
	MYPYPATH=benchmarks $(BIN)/mypy benchmarks

imports: env ## check that imports point down
	$(BIN)/lint-imports

check: lint types imports test ## run all quick checks

lock: env ## update the dependencies and write requirements/*.lock
	$(BIN)/pip install -q uv
	$(COMPILE) --upgrade --universal --extra cpu $(ENVIRONMENT_EXTRAS) -o requirements/dev.lock
	$(COMPILE) --universal --extra gpu $(ENVIRONMENT_EXTRAS) -c requirements/dev.lock -o requirements/dev-gpu.lock
	for target in cpu gpu; do $(COMPILE) --extra $$target --extra s3 --python-platform x86_64-manylinux_2_28 -c requirements/dev.lock -o requirements/$$target.lock; done
	echo kfp==2.17.0 | $(subst pyproject.toml,-,$(COMPILE)) --no-deps -o requirements/kfp.lock

bench: env ## run the benchmarks of docs/results.md; two of them need a finished run in ROOT
	@for name in $(BENCHMARKS); do echo "== benchmarks/$$name.py"; $(BIN)/python benchmarks/$$name.py; done
	@if test -e $(ROOT)/summary.json; then \
	  echo "== benchmarks/tables_over_seeds.py $(ROOT)"; $(BIN)/python benchmarks/tables_over_seeds.py $(ROOT)/summary.json; \
	  echo "== benchmarks/soft_target_encodings.py $(ROOT)"; $(BIN)/python benchmarks/soft_target_encodings.py \
	    --partition $$(ls -t $(ROOT)/steps/*/prepare/partition | sed 1q) --models $(ROOT)/steps/*/train-netvlad*/model; \
	else \
	  echo "Skipped tables_over_seeds.py and soft_target_encodings.py: $(ROOT) holds no finished run. Run make demo first, or give another root: make bench ROOT=runs/smoke"; \
	fi

bench-auto: env ## compare automatic settings with random trials, for hours; MEANS=FILE.npz adds real videos
	$(BIN)/python benchmarks/auto_settings.py $(if $(MEANS),--means $(MEANS))

bench-shuffled: env ## run a recipe on ten data sets of shuffled labels, and count the warnings of its reports
	$(BIN)/python benchmarks/shuffled_labels.py runs/shuffled

bench-bits: env ## measure fewer bits on runs with three seeds, made if missing: of the demo, and of real videos if MEANS=FILE.npz
	@for seed in 0 1 2; do \
	  $(BIN)/yt8m run pipelines/recipes/demo.yaml --root runs/demo-$$seed --set seed=$$seed; \
	  if test -n "$(MEANS)"; then \
	    $(BIN)/yt8m run benchmarks/real_means.yaml --root runs/real-means-$$seed --set seed=$$seed --set data.generate.means=$(MEANS); \
	  fi; \
	done
	$(BIN)/python benchmarks/bits.py runs/demo-[012] $(if $(MEANS),runs/real-means-[012]) --json runs/bits.json

clean: ## remove the environment and all runs
	rm -rf $(VENV) runs
