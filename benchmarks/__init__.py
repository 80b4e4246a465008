"""Benchmarks: microtorch beside numpy, PyTorch, HIPS autograd and closures.

    python -m benchmarks                 everything, under five minutes (make bench)
    python -m benchmarks tiny            tiny tensors and scalars, under one minute
    python -m benchmarks mlp784 --threads 2 --json out.json

PyTorch and HIPS autograd take part where they are installed. All contestants of a case run in one
process and take turns; the figure of each is its fastest round. Results are compared before they
are timed: a contestant that computes something else stops the run.

``cases.py`` says what a case is; the other files hold the cases. ``docs/performance.md`` has the
figures.
"""
