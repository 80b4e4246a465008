"""Running an op on a sample: its inputs as tensors, its value and gradients, memory layouts."""

import numpy as np
import pytest

import microtorch
from microtorch import autograd
from microtorch.engine.record import constant
from microtorch.engine.registry import REGISTRY

from .samples import SAMPLES

CASES = [
    pytest.param(name, i, id=f"{name}-{i}")
    for name, rows in SAMPLES.items()
    for i in range(len(rows))
]


def tensors(inputs, dtype="float64", data=()):
    """The inputs as tensors: floating ones in ``dtype``, requiring gradient unless in ``data``."""
    out = []
    for i, x in enumerate(inputs):
        floating = x.dtype.kind == "f"
        t = microtorch.tensor(x.astype(dtype) if floating else x)
        out.append(t.requires_grad_(floating and i not in data))
    return out


def laid_out(sample, layout, dtype="float64", library=microtorch):
    """The sample's inputs as tensors on arrays of another memory layout."""
    out = []
    for i, x in enumerate(sample.inputs):
        floating = x.dtype.kind == "f"
        array = np.array(x, dtype if floating else None)
        array = layout(array) if x.ndim else array
        # flipped memory is what from_numpy refuses; kernels meet it inside
        t = constant(array) if library is microtorch else library.from_numpy(array)
        out.append(t.requires_grad_(floating and i not in sample.data))
    return out


def run(name, xs, attrs):
    """(value, gradient of each input or None) for a fixed gradient of the output."""
    out = REGISTRY[name](*xs, **attrs)
    grads = [None] * len(xs)
    if out.requires_grad:
        wanted = [i for i, x in enumerate(xs) if x.requires_grad]
        found = autograd.grad(out, [xs[i] for i in wanted], seed(out), allow_unused=True)
        for i, g in zip(wanted, found, strict=True):
            grads[i] = None if g is None else g.numpy()
            assert g is None or (g.shape == xs[i].shape and g.dtype == xs[i].dtype), (
                g.shape,
                g.dtype,
            )
    return out.detach().numpy(), grads


def seed(out):
    """A fixed gradient for a result: numbers without a pattern."""
    return microtorch.tensor(
        np.cos(np.arange(out.numel()) * 1.3).reshape(out.shape).astype(out.detach().numpy().dtype)
    )


def close(actual, expected, dtype="float64", **kw):
    tolerance = {"float64": (1e-10, 1e-12), "float32": (2e-5, 2e-6), "float16": (5e-3, 5e-3)}[dtype]
    np.testing.assert_allclose(np.asarray(actual), expected, *tolerance, strict=False, **kw)
    assert np.shape(actual) == np.shape(expected)


# ---- layouts -------------------------------------------------------------------------------------
def transposed(x):
    """In column-major order."""
    return np.ascontiguousarray(x.T).T


def strided(x):
    """With a gap after each element."""
    out = np.zeros([2 * n for n in x.shape], x.dtype)
    view = out[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


def reversed_memory(x):
    """With negative strides."""
    every = tuple(slice(None, None, -1) for _ in x.shape)
    return x[every].copy()[every]
