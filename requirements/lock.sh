#!/usr/bin/env bash
# Renews the lock files, one per extra, from pyproject.toml: every version and hash, and no address of any registry.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() { # file, then options
  local file=requirements/$1
  shift
  "${UV:-uv}" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --no-emit-index-url --no-emit-find-links --no-header "$@" pyproject.toml --output-file "$file"
}

lock base.txt "$@"
# The constraint keeps the two from drifting apart: what runs for users is what is tested.
lock dev.txt --extra dev --constraint requirements/base.txt "$@"
lock bench.txt --extra bench --constraint requirements/dev.txt "$@"
lock lint.txt --extra lint --constraint requirements/dev.txt "$@"
lock quality.txt --extra quality --constraint requirements/dev.txt "$@"
# vLLM holds some packages at older versions than the other extras have, so these are its own.
lock train.txt --extra train "$@"

# Without hashes: torch's CPU build comes from wherever the machine finds it. For Linux and Python 3.11 only.
python=.venv/bin/python
source requirements/find-links.sh
"${UV:-uv}" pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-annotate \
  --no-emit-index-url --no-emit-find-links --no-header "${links[@]}" ${TORCH_BACKEND:+--torch-backend "$TORCH_BACKEND"} \
  --override trainer/overrides-cpu.txt "$@" trainer/requirements-cpu.in pyproject.toml \
  --output-file trainer/requirements-cpu.txt
