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
lock lint.txt --extra lint --constraint requirements/dev.txt "$@"
lock quality.txt --extra quality --constraint requirements/dev.txt "$@"
