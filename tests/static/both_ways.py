"""A function and the compiled one, called beside each other."""

import warnings

import numpy as np

import microtorch as torch
from microtorch import nn


def same(a, b):
    if isinstance(a, torch.Tensor):
        x, y = a.detach().numpy(), b.detach().numpy()
        return a.requires_grad == b.requires_grad and x.dtype == y.dtype and (
            x.shape == y.shape and x.tobytes() == y.tobytes()
        )  # fmt: skip
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return [*a] == [*b] and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def exact(f):
    """Compiled for the interpreter, which is equal to the bit."""
    return torch.compile(f, backend="eager")


def both(make, calls, programs=1, warns=None):
    """make() -> (function, tensors of its state). Each runs all calls; what they return and leave
    must be the same, with as many programs as said; or none, and a warning that says why."""
    results = []
    for wrap in (lambda f: f, exact):
        torch.manual_seed(0)
        function, state = make()
        function = wrap(function)
        out = []
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for call in calls:
                result = function(*call())
                out.append((result, [t.detach().clone() for t in state()]))
                out.append([None if t.grad is None else t.grad.clone() for t in state()])
        out.append(torch.get_rng_state())
        results.append((out, function, [str(w.message) for w in said]))
    (a, _, _), (b, compiled, said) = results
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        assert same(x, y), f"difference at {i}"
    if warns is None:
        assert not said and not compiled.reason
        assert compiled.count == programs
    else:
        assert compiled.reason and len(said) == 1 and warns in said[0]
    return compiled


def plain(function, *calls, **options):
    return both(lambda: (function, lambda: []), [lambda c=c: c for c in calls], **options)


def t(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape).astype("f4"))


def near(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)


XS = [(t(3, 4, seed=i),) for i in range(6)]


def net():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.BatchNorm1d(8),
                         nn.Linear(8, 2))  # fmt: skip
