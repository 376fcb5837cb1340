# The commands that people type. Each makes what it needs; `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
LOCKS := requirements/base.txt requirements/dev.txt
UV := $(shell command -v uv 2>/dev/null)
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
PYTEST_ARGS ?=
# What `make lock` does with versions that are locked already: renew them. `make lock RENEW=` keeps them.
RENEW ?= --upgrade

.PHONY: help setup demo test lint validate build-sigmahq-real bench-engine lock clean
.DELETE_ON_ERROR:

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install what is locked, and this project, into .venv

demo: $(STAMP) ## Play the starter tasks with the built-in agents; no download
	$(BIN)/sigma-env play starter --agent all

test: lint sources ## Check style, types and import order, then run every test
	$(BIN)/pytest $(PYTEST_ARGS)

lint: $(STAMP) ## Check style, types and import order only
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

validate: $(STAMP) ## Check that the starter's own answers, and their equivalents, earn the maximum
	$(BIN)/sigma-env validate starter

build-sigmahq-real: sources ## Build the dataset of SigmaHQ's rules that fire on public attack logs
	$(BIN)/sigma-env build sigmahq-real

bench-engine: sources ## Measure the engine on the public rules and logs
	$(BIN)/python -m benchmarks.engine

lock: $(STAMP) ## Renew the locked versions and hashes in requirements/
	$(if $(UV),,$(BIN)/python -m pip install --quiet uv)
	UV="$(or $(UV),$(BIN)/uv)" requirements/lock.sh $(RENEW)

clean: ## Delete .venv and the caches of the tools; your data stays
	rm -rf $(VENV) build dist out .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

.PHONY: sources
sources: $(STAMP)
	$(BIN)/sigma-env fetch

# uv is used if it is there, because it is quick; nothing needs it.
$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "This needs Python 3.11 or newer. Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
ifdef UV
	test -x $(BIN)/python || $(UV) venv --quiet --seed --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	touch $@
