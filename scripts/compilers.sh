#!/bin/sh
# The C core with each compiler that is installed; a warning is an error. gcc and clang build the
# module. clang also checks the sources as MSVC sees them, without GNU's extensions and atomics.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python} seen=''

for cc in ${CC:-gcc clang}; do
    command -v "$cc" >/dev/null || { echo "compilers: no $cc here"; continue; }
    folder=build/compilers/$cc
    mkdir -p "$folder"
    CC=$cc MICROTORCH_CFLAGS=-Werror MICROTORCH_REQUIRE_CORE=1 "$python" setup.py --quiet \
        build_ext --build-lib "$folder/lib" --build-temp "$folder/objects" \
        >"$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
    if grep -n warning: "$folder/log"; then exit 1; fi
    case $($cc --version) in *clang*)
        for source in ext/baseline.c ext/dispatch.c ext/lines.c ext/parallel.c ext/scratch.c; do
            $cc -fsyntax-only -std=c11 -pedantic-errors -Wno-braced-scalar-init \
                -Wno-literal-range -U__GNUC__ -D__STDC_NO_ATOMICS__ -D_DEFAULT_SOURCE \
                -Iext -Ibuild/core $source
        done ;;
    esac
    seen="$seen $cc"
done
[ -n "$seen" ] || { echo "compilers: there is none"; exit 1; }
echo "compilers: no warnings (-Wall -Wextra) from:$seen"
