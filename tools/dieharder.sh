#!/usr/bin/env bash
# Feeds dieharder with one of the streams of tools/sources.py:
#     tools/dieharder.sh straight          every test, an hour or more
#     tools/dieharder.sh names 0 2 200:8   only these tests (dieharder -l lists them), the last with ntuple 8
# Prints dieharder's table and how many of its lines say PASSED, WEAK and FAILED; exit status 1 if one says FAILED.
# A test that says WEAK goes on with more samples until it says one of the others (-Y 1).
set -euo pipefail
cd "$(dirname "$0")/.."
stream=$1
shift
table=$(mktemp)
trap 'rm -f "$table"' EXIT
run() { dieharder -g 200 -k 2 -Y 1 "$@" < <(exec python tools/sources.py "$stream") | tee -a "$table"; }
if [ $# = 0 ]; then
  run -a
else
  for test in "$@"; do
    IFS=: read -r number ntuple <<< "$test"
    run -d "$number" -n "${ntuple:-0}"
  done
fi
awk -F'|' '$6 ~ /PASSED|WEAK|FAILED/ { gsub(/ /, "", $6); count[$6]++; if (!n++ || $5 + 0 < least) least = $5 + 0 }
  END { printf "PASSED %d, WEAK %d, FAILED %d, least p %g\n", count["PASSED"], count["WEAK"], count["FAILED"], least
        exit count["FAILED"] > 0 || !n }' "$table"
