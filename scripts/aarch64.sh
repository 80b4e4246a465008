#!/bin/sh
# The kernel tests on 64-bit ARM, without such a machine. The module is cross-compiled; Debian's
# Python for arm64, with numpy's wheel for aarch64, runs the tests in QEMU. Everything goes into
# build/aarch64; the system is not changed.
#
# Needs Debian or Ubuntu with gcc-aarch64-linux-gnu and qemu-user.
# Environment: PYTHON (default .venv/bin/python), ARGS (for pytest).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python} folder=$PWD/build/aarch64
cc=aarch64-linux-gnu-gcc
for program in $cc qemu-aarch64 apt-get dpkg; do
    command -v $program >/dev/null || {
        echo "aarch64: no $program here (apt install gcc-aarch64-linux-gnu qemu-user)"
        exit 1
    }
done
root=$folder/root site=$folder/site

# ---- Python for arm64, with package lists and a cache of apt's own -------------------------------
if [ ! -e "$folder/ready" ]; then
    echo "aarch64: fetching Python and numpy"
    rm -rf "$folder"
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$root" "$site"
    : >"$folder/apt/status"
    apt() {
        apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
            -o APT::Sandbox::User=root -o Dir::State::lists="$folder/apt/lists" \
            -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt/cache" "$@"
    }
    apt update
    apt install -y --download-only --no-install-recommends python3 libpython3-stdlib libstdc++6
    for package in "$folder"/apt/cache/archives/*.deb; do dpkg -x "$package" "$root"; done
    version=$(cd "$root/usr/bin" && ls python3.* | sed -n 's/^python\(3\.[0-9]*\)$/\1/p')
    "$python" -m pip install --quiet --quiet --disable-pip-version-check --target "$site" \
        --only-binary=:all: --implementation cp --python-version "$version" \
        --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 \
        "numpy>=2.0" "cffi>=1.15.1" "graphviz>=0.20" "rich>=13" "pytest>=8" "hypothesis>=6.100" \
        "ml_dtypes>=0.5"
    cat >"$folder/python" <<PYTHON
#!/bin/sh
exec qemu-aarch64 -L "$root" "$root/usr/bin/python$version" "\$@"
PYTHON
    chmod +x "$folder/python"
    # the programs that tests start run in QEMU, too
    echo "import sys; sys.executable = '$folder/python'" >"$site/sitecustomize.py"
    touch "$folder/ready"
fi

# ---- the module, and the tests on it -------------------------------------------------------------
# The headers are those of the Python that builds. For the stable ABI, they are the same on every
# 64-bit Linux.
echo "aarch64: cross-compiling the module"
CC=$cc MICROTORCH_CFLAGS=-Werror MICROTORCH_REQUIRE_CORE=1 "$python" setup.py --quiet \
    build --build-lib "$folder/lib" --build-temp "$folder/objects" >"$folder/log" 2>&1 ||
    { cat "$folder/log"; exit 1; }
$cc -std=gnu11 -O2 -static -pthread -Iext tests/backends/core/test_parallel.c ext/parallel.c \
    -o "$folder/test_parallel"
qemu-aarch64 "$folder/test_parallel" without-fork >/dev/null
export PYTHONPATH="$folder/lib:$site" PYTHONSAFEPATH=1 MICROTORCH_REQUIRE=core
machine=$("$folder/python" -c 'import platform; print(platform.machine())')
[ "$machine" = aarch64 ] || { echo "aarch64: this Python says it runs on $machine"; exit 1; }
# In QEMU, a process with threads does not survive a fork, and there is no limit on memory. numpy's
# BLAS for aarch64 leaves floating-point flags set there, so numpy warns for no reason.
left_out='not fork and not multiprocessing and not from_all_sides'
left_out="$left_out and not no_thread and not more_elements"
# shellcheck disable=SC2086
"$folder/python" -m pytest -o pythonpath="$folder/lib" -p no:cacheprovider \
    tests/backends/core/test_core*.py -k "$left_out" \
    -W 'ignore:divide by zero encountered in:RuntimeWarning' \
    -W 'ignore:overflow encountered in:RuntimeWarning' \
    -W 'ignore:invalid value encountered in:RuntimeWarning' ${ARGS:-}
echo "aarch64: the kernel tests pass on $machine"
