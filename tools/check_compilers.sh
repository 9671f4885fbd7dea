#!/usr/bin/env bash
# The whole core, built and installed as pip does it, by each compiler named: the same bits.
#
#   bash tools/check_compilers.sh gcc-11 gcc-12 clang-14 clang-15 clang-16 clang-19
#
# Those are Debian's packages. Needs the environment of the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for compiler in "$@"; do
    echo "== $("$compiler" --version | head -n 1)"
    CC=$compiler pip install --quiet --no-deps --target "$work/$compiler" .
    PYTHONPATH=$work/$compiler python -m pytest tests/test_kernels.py tests/test_frozen.py tests/test_bits.py
done
