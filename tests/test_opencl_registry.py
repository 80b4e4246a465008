"""Every op of the registry on an OpenCL device: values, dtypes, gradients and memory layouts are those of the CPU.

In float32, as on a GPU; float64 where the sample is small and the device has it. The CPU's own results are tested in
test_registry.py, so that here the two are compared with each other.
"""

import numpy as np
import pytest
from ops.samples import SAMPLES
from test_registry import CASES, laid_out, run, seed

from microtorch import autograd
from microtorch.ops import REGISTRY

pytestmark = pytest.mark.needs("opencl")
TOLERANCE = {"float32": (3e-5, 3e-6), "float64": (1e-10, 1e-12)}


def on_device(xs, device="opencl"):
    return [x.detach().to(device).requires_grad_(x.requires_grad) for x in xs]


def device_run(name, xs, attrs):
    """(value, gradients) as numpy arrays, computed on the device."""
    out = REGISTRY[name](*xs, **attrs)
    assert out.device.type == "opencl"
    grads = [None] * len(xs)
    if out.requires_grad:
        wanted = [i for i, x in enumerate(xs) if x.requires_grad]
        found = autograd.grad(out, [xs[i] for i in wanted], seed(out.cpu()).to("opencl"), allow_unused=True)
        for i, g in zip(wanted, found, strict=True):
            assert g is None or (g.shape == xs[i].shape and g.dtype == xs[i].dtype and g.device == xs[i].device)
            grads[i] = None if g is None else g.cpu().numpy()
    return out.detach().cpu().numpy(), grads


def same(mine, theirs, dtype):
    value, grads = mine
    expected, wanted = theirs
    assert value.dtype == expected.dtype and value.shape == expected.shape
    np.testing.assert_allclose(value, expected, *TOLERANCE[dtype])
    for g, w in zip(grads, wanted, strict=True):
        assert (g is None) == (w is None)
        if g is not None:
            np.testing.assert_allclose(g, w, *TOLERANCE[dtype])


def inputs(sample, dtype, layout=np.array):
    """The sample's inputs as tensors of a dtype, on the CPU."""
    return laid_out(sample, layout, dtype)


@pytest.mark.parametrize(("name", "i"), CASES)
def test_op(name, i):
    sample = SAMPLES[name][i]
    dtype = "float64" if name == "cast" else "float32"
    xs = inputs(sample, dtype)
    same(device_run(name, on_device(xs), sample.attrs), run(name, xs, sample.attrs), dtype)
