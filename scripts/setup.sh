#!/bin/sh
# Prepare this checkout: .venv with the project and its extras. `make` runs this first; a second run
# is instant.
#
# Only numpy and Python 3.10+ with the venv module are indispensable. What else is missing is named,
# and the work goes on: without a C compiler, numpy takes the place of the C core; without Graphviz,
# pygraphviz draws, or nothing does. System packages are installed only by root, and only with apt.
#
# Environment: PYTHON (the interpreter), CC (the C compiler), MICROTORCH_REQUIRE_CORE=1 (no C core
# is an error).
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$@" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# ---- has anything changed since the last run? ----------------------------------------------------
# The record includes the checkout's path: a virtual environment cannot be moved.
cc=${CC:-}
fingerprint() {
    pwd
    echo "${MICROTORCH_REQUIRE:-}"
    echo "${PYTHON:-} $cc"
    for program in gcc cc clang dot; do command -v $program || :; done
    cat scripts/setup.sh setup.py pyproject.toml microtorch/version.py \
        microtorch/notation/formulas.py microtorch/notation/expr.py ext/*.py ext/*.h ext/*.c | cksum
}
RECORD=.venv/ready
core_built() { [ -n "$(ls microtorch/_core.* 2>/dev/null)" ]; }
if [ -f "$RECORD" ] && [ "$(cat "$RECORD")" = "$(fingerprint)" ] &&
    .venv/bin/python -c '' 2>/dev/null; then
    if core_built || [ "${MICROTORCH_REQUIRE_CORE:-0}" = 0 ]; then exit 0; fi
fi

# ---- Python --------------------------------------------------------------------------------------
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }
can_venv() { "$1" -c 'import venv, ensurepip' 2>/dev/null; }
python='' seen=''
candidates='python3 python3.14 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3'
for p in ${PYTHON:-$candidates}; do
    have "$p" || continue
    seen="$seen $p ($("$p" -V 2>&1 | tr '\n' ' '| sed 's/ *$//'))"
    new_enough "$p" || continue
    [ -n "$python" ] || python=$p
    if can_venv "$p"; then python=$p; break; fi
done
[ -n "$python" ] || die "microtorch needs Python 3.10 or newer; found:${seen:- none}." \
    "Install one (Debian, Ubuntu: apt install python3 python3-venv)" \
    "or name it: make PYTHON=/path/to/python3"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# ---- system packages -----------------------------------------------------------------------------
compiler() { for c in ${cc:-gcc cc clang}; do if have "$c"; then echo "$c"; return; fi; done; }
headers() { "$python" -c 'import os, sysconfig; p = sysconfig.get_paths()["include"]
raise SystemExit(not os.path.exists(os.path.join(p, "Python.h")))'; }

packages=''
can_venv "$python" || packages="$packages python$version-venv"
[ -n "$(compiler)" ] || packages="$packages gcc libc6-dev"
headers || packages="$packages python$version-dev"
have dot || packages="$packages graphviz"
# Graphviz measures text in Liberation Sans, which is as wide as Helvetica and Arial, the fonts in
# which the pictures are shown
ls /usr/share/fonts/truetype/liberation* >/dev/null 2>&1 || packages="$packages fonts-liberation"
# a browser only where it is asked for: it is large, and only the tests of the pages need it
case ",${MICROTORCH_REQUIRE:-}," in *,browser,*)
    have chromium && have chromedriver || packages="$packages chromium chromium-driver" ;;
esac
# likewise an OpenCL driver for the CPU, which brings LLVM along, unless there is a driver
case ",${MICROTORCH_REQUIRE:-}," in *,opencl,*)
    ls /etc/OpenCL/vendors/*.icd >/dev/null 2>&1 || packages="$packages pocl-opencl-icd" ;;
esac
if [ -n "$packages" ] && have apt-get && [ "$(id -u)" = 0 ]; then
    say "installing with apt:$packages"
    export DEBIAN_FRONTEND=noninteractive
    install() { apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; }
    # all at once; then with a fresh package list; then one by one, so that one missing package does
    # not cost the others
    # shellcheck disable=SC2086
    install $packages || { apt-get update -qq >/dev/null 2>&1 || :; install $packages; } ||
        for p in $packages; do install "$p" || say "apt could not install $p"; done
fi
can_venv "$python" || die "$python cannot make a virtual environment: no venv or ensurepip." \
    "Debian, Ubuntu: sudo apt install python$version-venv" \
    "or name another interpreter: make PYTHON=/path/to/python3"

# ---- the virtual environment ---------------------------------------------------------------------
if ! { new_enough .venv/bin/python && .venv/bin/python -m pip --version; } >/dev/null 2>&1; then
    say "making .venv with $python (Python $version)"
    "$python" -m venv --clear .venv || die "could not make .venv (see above)"
fi
rm -f "$RECORD"

# Python uses the compiler with which it was built; where that one is missing, name another
if [ -z "$cc" ] && ! have gcc && [ -n "$(compiler)" ]; then CC=$(compiler); export CC; fi

pip_install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"; }
say "installing microtorch and its extras into .venv"
if ! pip_install -e '.[test,viz,anim,opencl]' 2>.venv/pip.log; then
    failed="the installation failed (see above)"
    [ "${MICROTORCH_REQUIRE_CORE:-0}" = 0 ] || { cat .venv/pip.log >&2; die "$failed"; }
    pip_install -e . || die "$failed"
    for extra in test viz anim opencl; do
        pip_install -e ".[$extra]" 2>.venv/pip.log ||
            { tail -n 3 .venv/pip.log; say "went on without the extra [$extra]"; }
    done
fi

# ---- what is there and what is not ---------------------------------------------------------------
.venv/bin/python -m microtorch.programs.doctor --missing || :
fingerprint > "$RECORD"
