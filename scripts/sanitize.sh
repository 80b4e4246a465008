#!/bin/sh
# The C core under the compilers' sanitizers. Each has a build of the module in its own folder, on
# which the kernel tests run. AddressSanitizer finds accesses outside arrays,
# UndefinedBehaviorSanitizer what C does not define (overflow, shifts, misaligned pointers),
# ThreadSanitizer data races.
#
# Python itself is not instrumented, so the sanitizer's library must be loaded first (LD_PRELOAD).
# With PYTHONMALLOC=malloc every object and array has memory of its own, between forbidden bytes.
# Before the tests, a program with a known mistake must be stopped: a sanitizer that is not at work
# would find nothing either.
#
#     scripts/sanitize.sh [address | thread]
#
# Environment: CC (gcc or clang; default gcc), PYTHON (default .venv/bin/python), ARGS (for pytest).
set -eu
cd "$(dirname "$0")/.."
cc=${CC:-gcc} python=${PYTHON:-.venv/bin/python} ran=''
[ "$(uname)" = Linux ] || { echo "sanitize: needs Linux, for LD_PRELOAD"; exit 1; }

# sanitized COMMAND...: run it, and the programs that it starts, with the build, not the checkout.
# OpenBLAS has one thread: ThreadSanitizer cannot see how its threads synchronise.
sanitized() {
    env PYTHONPATH="$folder/lib" PYTHONSAFEPATH=1 PYTHONMALLOC=malloc \
        MICROTORCH_NUM_THREADS=3 OPENBLAS_NUM_THREADS=1 \
        LD_PRELOAD="$library $($cc -print-file-name=libstdc++.so.6)" "$@"
}

missed() {
    cat "$folder/log"
    echo "sanitize: $name: a mistake made on purpose was not found"
    exit 1
}

# check NAME FLAG LIBRARY MISTAKE: build, then run the thread pool's test, the mistake and pytest
check() {
    name=$1 mistake=$4 folder=$PWD/build/sanitize/$1
    # Python's own flags have -fwrapv, with which an overflow is no mistake
    flags="-fsanitize=$2 -fno-sanitize-recover=all -fno-omit-frame-pointer -fno-wrapv -g -O1"
    case $($cc --version) in
    *clang*)
        flags="$flags -shared-libsan"
        library=$($cc -print-file-name="libclang_rt.$3-$(uname -m).so") ;;
    *) library=$($cc -print-file-name="lib$3.so") ;;
    esac
    [ -e "$library" ] || { echo "sanitize: $cc has no $library"; exit 1; }
    echo "sanitize: $name: building with $cc"
    mkdir -p "$folder"
    # shellcheck disable=SC2086
    $cc $flags -std=gnu11 -pthread -Iext tests/backends/core/test_parallel.c ext/parallel.c \
        "-Wl,-rpath,${library%/*}" -o "$folder/test_parallel"
    CC=$cc MICROTORCH_CFLAGS=$flags LDFLAGS=$flags MICROTORCH_REQUIRE_CORE=1 \
        "$python" setup.py --quiet build --build-lib "$folder/lib" \
        --build-temp "$folder/objects" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }

    # In the child of a fork the lock of AddressSanitizer's own allocator may stay taken. So the
    # program, and below the tests, fork under ThreadSanitizer only, and where they run plainly.
    forks='' only=''
    [ "$name" = address ] && forks=without-fork only=' and not fork_between_and_during_loops'
    "$folder/test_parallel" ${forks:+"$forks"} >/dev/null
    sanitized "$python" -c "$MODULE$mistake" >"$folder/log" 2>&1 && missed
    grep -q Sanitizer: "$folder/log" || missed
    if [ "$name" = address ]; then
        # shellcheck disable=SC2086
        $cc $flags -std=gnu11 -xc - -o "$folder/overflow" <<EOF
$OVERFLOW
EOF
        "$folder/overflow" >"$folder/log" 2>&1 && missed
        grep -q 'signed integer overflow' "$folder/log" || missed
    fi
    # Left out: tests of 2^31 numbers, and tests under a memory limit: a sanitizer needs a multiple
    # of the memory that it watches.
    left_out='not more_elements_than_32_bits and not no_thread_can_be_started'
    left_out="$left_out and not without_memory$only"
    # shellcheck disable=SC2086
    sanitized "$python" -m pytest -o pythonpath="$folder/lib" -p no:cacheprovider \
        tests/backends/core/test_core*.py --capture=sys -k "$left_out" ${ARGS:-}
    ran="$ran $name"
}

export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=die_after_fork=0:halt_on_error=1:report_signal_unsafe=0
MODULE='
import threading, numpy
from microtorch._core import ffi, lib
array = numpy.zeros((1, 1))'
OVERRUN='
lib.probe(id(array), ffi.new("intptr_t[1]"))  # writes eight'
OVERFLOW='volatile int most = 2147483647;
int main(int n, char **words) { return most + n && !words; }'
RACE='
seen = ffi.new("intptr_t[8]")
def write():
    for _ in range(10000):
        lib.probe(id(array), seen)
for _ in range(2):
    threading.Thread(target=write).start()'
case ${1:-address} in address) check address address,undefined asan "$OVERRUN" ;; esac
case ${1:-thread} in thread) check thread thread tsan "$RACE" ;; esac
[ -n "$ran" ] || { echo "sanitize: address or thread, not '$1'"; exit 1; }
echo "sanitize: nothing found. The kernel tests and the test of the thread pool ran under:$ran" \
    "(address: with undefined)"
