"""Every op of the registry on an OpenCL device: values, dtypes, gradients and memory layouts are
those of the CPU.

In float32, as on a GPU; float64 where the sample is small and the device has it. The CPU's own
results are tested in ops/test_registry.py, so that here the two are compared with each other.
"""

import numpy as np
import pytest
from ops.elementwise import ELEMENTWISE, inputs_for
from ops.running import CASES, laid_out, run, seed, strided, transposed
from ops.samples import SAMPLES

import microtorch
from microtorch import autograd
from microtorch.engine.registry import REGISTRY

pytestmark = pytest.mark.needs("opencl")
# what no kernel on a device computes: they say so
HOST_ONLY = {"as_strided", "scatter_reduce"}
CASES = [case for case in CASES if case.values[0] not in HOST_ONLY]
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
        found = autograd.grad(
            out, [xs[i] for i in wanted], seed(out.cpu()).to("opencl"), allow_unused=True
        )
        for i, g in zip(wanted, found, strict=True):
            assert g is None or (
                g.shape == xs[i].shape and g.dtype == xs[i].dtype and g.device == xs[i].device
            )
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


@pytest.mark.parametrize(("name", "i"), CASES)
def test_op(name, i):
    sample = SAMPLES[name][i]
    dtype = "float64" if name == "cast" else "float32"
    xs = laid_out(sample, np.array, dtype)
    same(device_run(name, on_device(xs), sample.attrs), run(name, xs, sample.attrs), dtype)


KERNELS = [
    (n, i)
    for n, i in ((p.values) for p in CASES)
    if n not in ELEMENTWISE or n in ("add", "sigmoid", "where")
]


@pytest.mark.parametrize(("name", "i"), KERNELS)
@pytest.mark.parametrize("layout", [transposed, strided])
def test_memory_layout_does_not_matter(name, i, layout):
    sample = SAMPLES[name][i]
    dtype = "float64" if name == "cast" else "float32"
    xs = laid_out(sample, layout, dtype)
    same(device_run(name, on_device(xs), sample.attrs), run(name, xs, sample.attrs), dtype)


WIDE = ("mul", "gelu", "softplus", "where", "matmul", "linear", "sum", "mean", "amax", "var",
        "softmax", "log_softmax", "nll_loss", "conv2d", "max_pool2d", "layer_norm", "batch_norm",
        "index", "gather", "embedding", "cumsum", "prod")  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
def test_float64(name):
    if not microtorch.opencl.get_device_properties()["float64"]:
        pytest.skip("the device has no float64")
    for sample in SAMPLES[name]:
        xs = laid_out(sample, np.array, "float64")
        same(device_run(name, on_device(xs), sample.attrs), run(name, xs, sample.attrs), "float64")


@pytest.mark.parametrize(
    "name",
    ["mul", "sigmoid", "pow", "where", "matmul", "sum", "softmax", "layer_norm", "max_pool2d"],
)
def test_second_derivatives(name):
    """``create_graph`` on the device: the derivatives are recorded ops, and run there in turn."""
    sample = SAMPLES[name][0]
    results = []
    for device in ("cpu", "opencl"):
        xs = on_device(laid_out(sample, np.array, "float32"), device)
        wanted = [x for x in xs if x.requires_grad]
        out = REGISTRY[name](*xs, **sample.attrs)
        first = autograd.grad((out * out).sum(), wanted, create_graph=True)
        second = autograd.grad(
            sum((g * g).sum() for g in first), wanted, allow_unused=True, materialize_grads=True
        )
        results.append([g.cpu().numpy() for g in second])
        assert all(g.device.type == device for g in second)
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["add", "exp", "maximum", "softplus"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,), (257,), (2, 3, 5, 7)], ids=str)
def test_shapes(name, shape):
    xs = [
        microtorch.tensor(x.astype("float32"), requires_grad=True)
        for x in inputs_for(ELEMENTWISE[name], shape)
    ]
    same(device_run(name, on_device(xs), {}), run(name, xs, {}), "float32")


@pytest.mark.parametrize("name", ["add", "mul", "sigmoid", "clamp"])
def test_in_place_twins(name):
    for sample in SAMPLES[name]:
        value, grads = run(name, laid_out(sample, np.array, "float32"), sample.attrs)
        xs = on_device(laid_out(sample, np.array, "float32"))
        target = xs[0].clone()
        view = target[...]
        assert getattr(target, f"{name}_")(*xs[1:], **sample.attrs) is target
        np.testing.assert_allclose(view.detach().cpu().numpy(), value, rtol=3e-5, atol=1e-6)
        found = autograd.grad(view, xs, seed(view.cpu()).to("opencl"))
        for g, p in zip(found, grads, strict=True):
            np.testing.assert_allclose(g.cpu().numpy(), p, rtol=3e-5, atol=1e-6)
