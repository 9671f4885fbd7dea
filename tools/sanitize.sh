#!/usr/bin/env bash
# The compiled core under a tool that watches memory or threads:
#
#   bash tools/sanitize.sh address [PYTEST ARGUMENT...]    AddressSanitizer and UBSan: tests/stress.c, then the suite
#   bash tools/sanitize.sh thread                          ThreadSanitizer: tests/stress.c
#   bash tools/sanitize.sh valgrind                        memcheck: tests/stress.c, on the instruction sets it knows
#
# Builds go to build/; the ordinary one stays. The exit status tells.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=${1:?address, thread or valgrind}
shift
objects=build/stress.$tool
mkdir -p "$objects"

compile() { # FLAG...
    printf '%s\n' csrc/*.c tests/stress.c | xargs -P "$(nproc)" -I {} sh -c \
        'out=$1/$(basename "$2").o; shift 2; gcc "$@" -c {} -o "$out"' sh "$objects" {} \
        -std=c11 -D_GNU_SOURCE -ffp-contract=off -Wno-psabi -pthread -Icsrc -g1 "$@"
    gcc -pthread "$@" "$objects"/*.o -o "$objects/stress" -lm
}

case $tool in
address)
    compile -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
    ASAN_OPTIONS=detect_leaks=1 "$objects/stress"
    FASTINIT_SANITIZE=address,undefined python setup.py -q build --build-lib build/address --build-temp build/address.o
    # Python itself frees little at its end. The programs of test_lanes and test_portability are built with sanitizers of
    # their own or with other compilers, which a preloaded library breaks; test_faults preloads one itself.
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $(gcc -print-file-name=libstdc++.so)" \
        ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONMALLOC=malloc PYTHONPATH=$PWD/build/address \
        python -m pytest --ignore tests/test_lanes.py --ignore tests/test_portability.py \
        --ignore tests/test_faults.py "$@"
    ;;
thread)
    compile -O1 -fsanitize=thread
    TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:report_thread_leaks=0 "$objects/stress"
    ;;
valgrind)
    compile -O1
    valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=all "$objects/stress"
    ;;
*)
    echo "no tool $tool" >&2
    exit 2
    ;;
esac
