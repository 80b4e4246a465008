"""Benchmarks: microtorch beside numpy and, where they are installed, PyTorch, HIPS autograd and closures.

    python -m benchmarks                 everything, under five minutes (make bench)
    python -m benchmarks tiny            eager work on tiny tensors and on scalars, under one minute
    python -m benchmarks mlp784 --threads 2 --json out.json

All contestants of a case run in one process and take turns; each one's figure is its fastest round. Before a case is
timed, its results are compared: a contestant that computes something else stops the run. `cases.py` says how a case is
put together; `tiny.py`, `scalars.py`, `training.py`, `large.py` and `processes.py` contain them, `docs/performance.md`
has the figures.
"""
