# The commands that people type. Each makes what it needs; `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
LOCKS := requirements/base.txt requirements/dev.txt
UV := $(shell command -v uv 2>/dev/null)
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
PYTEST_ARGS ?=
BENCH_ARGS ?=
# What `make lock` does with versions that are locked already: renew them. `make lock RENEW=` keeps them.
RENEW ?= --upgrade

# Training: `make train-tiny ARGS="--set trainer.total_training_steps=5"`; ARGS are those of `python -m trainer train`.
TRAIN := .venv-train
NODES ?= 1
RAY_ADDRESS ?=
ARGS ?=
# "cpu" takes torch's CPU build from PyTorch's own index, for machines where pip is not told of a wheel.
TORCH_BACKEND ?=
export TORCH_BACKEND

.PHONY: help setup demo test lint validate build-sigmahq-real bench bench-engine lock clean
.PHONY: train-env train-env-gpu test-train train-tiny train-tiny-report train-h100 train-qwen14b train-gpt-oss-20b
.PHONY: evaluate export serve
.DELETE_ON_ERROR:

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install what is locked, and this project, into .venv

demo: $(STAMP) ## Play the starter tasks with the built-in agents; no download
	$(BIN)/sigma-env play starter --agent all

test: lint sources ## Check style, types and import order, then run every test
	$(BIN)/pytest -n auto --maxprocesses 8 $(PYTEST_ARGS)

lint: $(STAMP) ## Check style, types and import order only
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

validate: $(STAMP) ## Check that the starter's own answers, and their equivalents, earn the maximum
	$(BIN)/sigma-env validate starter

build-sigmahq-real: sources ## Build the dataset of SigmaHQ's rules that fire on public attack logs
	$(BIN)/sigma-env build sigmahq-real

bench: $(STAMP) ## Ask the models whose keys are set, and make the tables; BENCH_ARGS are those of benchmarks run
	$(BIN)/python -m benchmarks run $(BENCH_ARGS)

bench-engine: sources ## Measure the engine on the public rules and logs
	$(BIN)/python -m benchmarks.engine

train-env: $(TRAIN)/installed-cpu ## Install the trainer for a CPU into .venv-train
train-env-gpu: $(TRAIN)/installed-gpu ## Install the trainer for GPUs into .venv-train

# A real run starts ten processes that import verl and vLLM, and some tests need several runs: on a slow machine that
# takes longer than other tests may.
test-train: $(TRAIN)/installed-cpu ## Run the trainer's tests, a short training on the CPU among them
	$(TRAIN)/bin/python -m pytest -o faulthandler_timeout=2400 tests/trainer $(PYTEST_ARGS)

train = $(TRAIN)/bin/python -m trainer train $(1) --nodes $(NODES) $(if $(RAY_ADDRESS),--ray-address $(RAY_ADDRESS)) $(ARGS)

train-tiny: $(TRAIN)/installed-cpu ## Make a small model, warm-start it, train it by GRPO on this machine's CPU, and report
	$(TRAIN)/bin/python -m trainer learn tiny $(ARGS)

train-tiny-report: $(TRAIN)/installed-cpu ## The same for two seeds, beside more warm start in the same time; renews docs/results/tiny
	$(TRAIN)/bin/python -m trainer learn tiny --seeds 0,1 --control --results docs/results/tiny $(ARGS)

train-h100: $(TRAIN)/installed-gpu ## Train a small model on one H100
	$(call train,h100)

train-qwen14b: $(TRAIN)/installed-gpu ## Train Qwen3-14B on NODES machines of 8 x A100-80GB
	$(call train,qwen3_14b)

train-gpt-oss-20b: $(TRAIN)/installed-gpu ## Train gpt-oss-20b with LoRA on NODES machines of 8 x A100-80GB
	$(call train,gpt_oss_20b)

# What comes after training runs where training ran: on GPUs if those were set up, else on the CPU.
TRAINED := $(if $(wildcard $(TRAIN)/installed-gpu),$(TRAIN)/installed-gpu,$(TRAIN)/installed-cpu)
after = $(TRAIN)/bin/python -m trainer $(1) $(ARGS)

evaluate: $(TRAINED) ## Ask a checkpoint a dataset's tasks and score it: ARGS="runs/tiny --greedy"
	$(call after,evaluate)

export: $(TRAINED) ## Write a checkpoint in Hugging Face's layout: ARGS="runs/tiny out/tiny"
	$(call after,export)

serve: $(TRAINED) ## Serve a checkpoint to OpenAI's clients: ARGS="runs/tiny --port 8000"
	$(call after,serve)

lock: $(STAMP) ## Renew the locked versions and hashes in requirements/
	$(if $(UV),,$(BIN)/python -m pip install --quiet uv)
	UV="$(or $(UV),$(BIN)/uv)" requirements/lock.sh $(RENEW)

clean: ## Delete .venv, .venv-train and the caches of the tools; your data stays
	rm -rf $(VENV) $(TRAIN) build dist out .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.PHONY: sources
sources: $(STAMP)
	$(BIN)/sigma-env fetch

# uv is used if it is there, because it is quick; nothing needs it. The lock names every package, so that nothing is
# resolved: older pips, asked for hashes, look for a newer release of a package that another one needs with an extra.
$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "This needs Python 3.11 or newer. Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
ifdef UV
	test -x $(BIN)/python || $(UV) venv --quiet --seed --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	touch $@

$(TRAIN)/installed-%: trainer/requirements-cpu.txt requirements/train.txt requirements/train-env.sh pyproject.toml
	PYTHON="$(PYTHON)" UV="$(UV)" requirements/train-env.sh $*
