#!/usr/bin/env bash
# Installs the trainer's environment, .venv-train: `train-env.sh cpu` or `train-env.sh gpu`. See `make train-env`.
#
# PYTHON         the Python to make it with
# UV             the uv to install with; one is installed into the environment where none is given
# TORCH_BACKEND  "cpu" takes torch's CPU build from PyTorch's own index; without it, a local wheel is found where pip's
#                configuration says (find-links)
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:?cpu or gpu}
venv=.venv-train
python=$venv/bin/python

if [[ $kind == cpu ]] && ! "${PYTHON:=python3}" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
  echo "trainer/requirements-cpu.txt is for Python 3.11. Name one: make train-env PYTHON=/path/to/python3.11" >&2
  exit 1
fi

# The two stacks share no torch: what is there of the other one goes.
for other in cpu gpu; do
  if [[ $other != "$kind" && -e $venv/installed-$other ]]; then rm -rf $venv; fi
done

test -x $python || "$PYTHON" -m venv $venv
if [[ -z ${UV:-} ]]; then
  test -x $venv/bin/uv || $python -m pip install --quiet --disable-pip-version-check uv
  UV=$venv/bin/uv
fi

source requirements/find-links.sh
# The files name every package, so that nothing is resolved here.
if [[ $kind == cpu ]]; then
  "$UV" pip install --quiet --python $python --no-deps "${links[@]}" \
    ${TORCH_BACKEND:+--torch-backend "$TORCH_BACKEND"} -r trainer/requirements-cpu.txt || {
    echo "If torch's CPU build was not found, take it from PyTorch's own index: make train-env TORCH_BACKEND=cpu" >&2
    exit 1
  }
else
  "$UV" pip install --quiet --python $python --no-deps --require-hashes -r requirements/train.txt
fi
"$UV" pip install --quiet --python $python --no-deps --build-constraints requirements/dev.txt -e .
touch $venv/installed-"$kind"
