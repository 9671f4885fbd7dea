#!/usr/bin/env bash
# The tests of one framework, in an environment of its own, at the oldest version that pyproject.toml allows or at the newest.
#
#   bash tools/check_framework.sh numpy|torch|jax|keras|hf oldest|newest
set -euo pipefail
cd "$(dirname "$0")/.."
case $1 in
numpy) tests="tests/test_laws.py tests/test_schemes.py tests/test_structured.py tests/test_recipes.py" ;;
torch) tests="tests/test_torch_[!h]*.py" ;;
jax) tests="tests/test_jax*.py" ;;
keras) tests="tests/test_keras*.py" ;;
hf) tests="tests/test_torch_huggingface.py tests/test_hub_names.py" ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
. "$work/venv/bin/activate"
python - "$1" "$2" >"$work/constraints" <<'PYTHON'
import sys, tomllib

name, versions = sys.argv[1:]
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
wanted = project["dependencies"] if name == "numpy" else project["optional-dependencies"][name]
if versions == "oldest":
    print(*(requirement.replace(">=", "==") for requirement in wanted), sep="\n")
PYTHON
extras=test
[ "$1" = numpy ] || extras=test,$1
[ "$1" != keras ] || extras=$extras,jax # its backend in the tests
pip install --quiet --constraint "$work/constraints" ".[$extras]"
[ "$1/$2" != jax/newest ] || pip install --quiet flax equinox flatbuffers
python -m pytest $tests
