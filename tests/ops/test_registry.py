"""Every op of the registry on all its samples: values, dtypes, derivatives, layouts, backends.

An op without samples (samples.py) fails here, so none can be added without them.
"""

import functools
import importlib.util
from importlib import import_module

import numpy as np
import pytest

import microtorch
from microtorch import Scalar, autograd, backends
from microtorch.backends import core
from microtorch.backends.expansion import Expansion, scalars
from microtorch.engine.backward import unbroadcast
from microtorch.engine.registry import REGISTRY
from microtorch.notation import expr, formulas
from microtorch.ops.elementwise import PARTS
from ops.elementwise import ELEMENTWISE, inputs_for
from ops.running import (
    CASES,
    close,
    laid_out,
    reversed_memory,
    run,
    seed,
    strided,
    tensors,
    transposed,
)  # fmt: skip
from ops.samples import EXCUSED, SAMPLES

# numpy's warnings of x / 0 and the like: the package silences them, but pytest has its own filters
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
pytorch = importlib.util.find_spec("torch") is not None
every_sample = pytest.mark.parametrize(("name", "i"), CASES)
every_elementwise = pytest.mark.parametrize("name", ELEMENTWISE)
FLOATS = ("float32", "float64")


def test_every_op_has_samples():
    import_module("microtorch.autograd.custom")  # whose op is entered when a Function is first used
    missing = set(REGISTRY) - set(SAMPLES) - set(EXCUSED)
    assert not missing, f"no samples in tests/ops/samples.py for {sorted(missing)}"
    stale = (set(SAMPLES) | set(EXCUSED)) - set(REGISTRY)
    assert not stale, f"samples of ops that do not exist: {sorted(stale)}"
    assert set(ELEMENTWISE) | {"where"} == set(formulas.TABLE)


# ---- values --------------------------------------------------------------------------------------
@every_sample
@pytest.mark.parametrize("backend", ["reference", "core"])
def test_value(name, i, backend, require):
    if backend == "core":
        require("core")
    sample = SAMPLES[name][i]
    expected = np.asarray(sample.reference(*sample.inputs, **sample.attrs))
    before = backends.current()
    backends.use(backend)
    try:
        for dtype in FLOATS:
            if name == "cast" and dtype == "float32":
                continue
            out = REGISTRY[name](*tensors(sample.inputs, dtype, sample.data), **sample.attrs)
            floating = expected.dtype.kind == "f"
            assert str(out.dtype) == (f"torch.{dtype}" if floating else "torch.bool"), out.dtype
            close(out.detach().numpy(), expected, dtype)
    finally:
        backends.use(before)


# for which PyTorch multiplies by a constant that it rounds to float32
ROUNDED = {"celu", "hardsigmoid"}


@pytest.mark.skipif(not pytorch, reason="PyTorch is not installed")
@every_sample
def test_value_gradient_and_layout_are_pytorchs(name, i):
    import torch

    sample = SAMPLES[name][i]
    if sample.torch is None:
        pytest.skip("PyTorch has no such function")
    for layout in (np.array, transposed):
        theirs = laid_out(sample, layout, library=torch)
        out = sample.torch(torch, *theirs)
        value, grads = run(name, laid_out(sample, layout), sample.attrs)
        close(value, out.detach().numpy(), "float32" if name in ROUNDED else "float64")
        # the same strides, so that a reshape of it is a view in both, or a copy in both
        if value.size and not REGISTRY[name].view and name not in ("copy", "logsigmoid"):
            strides = [
                s // value.itemsize
                for s, n in zip(value.strides, value.shape, strict=True)
                if n > 1
            ]
            assert strides == [s for s, n in zip(out.stride(), out.shape, strict=True) if n > 1]
        if any(g is not None for g in grads):
            out.backward(torch.from_numpy(seed(microtorch.tensor(value)).numpy()))
            for g, t in zip(grads, theirs, strict=True):
                if g is not None and t.grad is not None:
                    close(g, t.grad.numpy(), "float32" if name in ROUNDED else "float64")


# ---- derivatives ---------------------------------------------------------------------------------
def differentiable(name, sample):
    return REGISTRY[name].differentiable and any(
        x.dtype.kind == "f" and i not in sample.data for i, x in enumerate(sample.inputs)
    )


@every_sample
def test_gradcheck(name, i):
    sample = SAMPLES[name][i]
    xs = tensors(sample.inputs, data=sample.data)
    if not differentiable(name, sample):
        assert not REGISTRY[name](*xs, **sample.attrs).requires_grad
        return
    assert autograd.gradcheck(functools.partial(REGISTRY[name], **sample.attrs), xs)


@every_sample
def test_gradgradcheck(name, i):
    sample = SAMPLES[name][i]
    if differentiable(name, sample):
        assert autograd.gradgradcheck(
            functools.partial(REGISTRY[name], **sample.attrs),
            tensors(sample.inputs, data=sample.data),
            atol=1e-4,
        )


def test_floor_divide_has_no_derivative():
    x = microtorch.tensor([3.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="derivative for aten::floor_divide is not implemented"):
        (x + x // 2).sum().backward()


@pytest.mark.parametrize(
    "name", [n for n, row in ELEMENTWISE.items() if len(row.domains) == 2] + ["where"]
)
def test_broadcasting_sums_gradients_back(name):
    shapes = [
        ((2, 1, 3), (4, 1)),
        ((), (2, 3)),
        ((2, 3), ()),
        ((3,), (2, 1)),
        ((1, 1), (1,)),
        ((0, 3), (1, 1)),
    ]
    attrs = {} if name == "where" else ELEMENTWISE[name].attrs[0]
    for left, right in shapes:
        if name == "where":
            a, b = np.linspace(-1, 1, 3), 0.5
            inputs = [
                np.arange(np.prod(left, dtype=int)).reshape(left) % 2 == 0,
                np.full(left, b),
                np.resize(a, right),
            ]
        else:
            row = ELEMENTWISE[name]
            inputs = [inputs_for(row, left)[0], inputs_for(row, right)[1]]
        op = functools.partial(REGISTRY[name], **attrs)
        assert autograd.gradcheck(op, tensors(inputs))


@every_elementwise
@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0, 3)], ids=str)
def test_shapes_without_elements_or_dimensions(name, shape):
    row = ELEMENTWISE[name]
    inputs = inputs_for(row, shape)
    for attrs in row.attrs:
        for dtype in FLOATS:
            value, grads = run(name, tensors(inputs, dtype), attrs)
            assert type(value) is np.ndarray
            assert value.shape == shape and str(value.dtype) == dtype
            assert all(g.shape == shape for g in grads)
            if value.size:
                close(
                    value,
                    np.reshape(
                        float(row.reference(*[float(x.item()) for x in inputs], **attrs)), shape
                    ),
                    dtype,
                )
        assert autograd.gradcheck(functools.partial(REGISTRY[name], **attrs), tensors(inputs))


KINKS = [  # (function, point, gradient that PyTorch 2.13 gives there)
    (lambda x: x.relu(), 0.0, 0.0),
    (lambda x: x.abs(), 0.0, 0.0),
    (lambda x: x.sign(), 0.0, 0.0),
    (lambda x: x.sqrt(), 0.0, np.inf),
    (lambda x: x**0, 0.0, 0.0),
    (lambda x: x**2, 0.0, 0.0),
    (lambda x: x**-1, 0.0, -np.inf),
    (lambda x: x ** x.detach(), 0.0, 0.0),
    (lambda x: microtorch.where(x > 0, x, 0.0), 0.0, 0.0),
    (lambda x: x.maximum(x.detach()), 1.0, 0.5),
    (lambda x: x.clamp(1, 2), 1.0, 1.0),
    (lambda x: x.clamp(min=x.detach()), 1.0, 1.0),
    (lambda x: microtorch.nn.functional.hardtanh(x), 1.0, 0.0),
    (lambda x: microtorch.nn.functional.relu6(x), 6.0, 0.0),
    (lambda x: microtorch.nn.functional.leaky_relu(x, 0.1), 0.0, 0.1),
    (lambda x: microtorch.nn.functional.elu(x), 0.0, 1.0),
    (lambda x: x.atan2(x.detach()), 0.0, 0.0),
    (lambda x: x.norm(), 0.0, 0.0),
    (lambda x: microtorch.stack([x, x, x]).std(), 1.0, 0.0),
    (
        lambda x: x.relu(),
        np.nan,
        1.0,
    ),  # a NaN is not turned into a gradient of 0, which would hide it
    (lambda x: microtorch.nn.functional.relu6(x), np.nan, 1.0),
]


@pytest.mark.parametrize("i", range(len(KINKS)))
def test_subgradients_are_pytorchs(i):
    f, point, expected = KINKS[i]
    x = microtorch.tensor(point, dtype=microtorch.float64, requires_grad=True)
    f(x).backward()
    np.testing.assert_equal(x.grad.item(), expected)


# ---- layouts -------------------------------------------------------------------------------------
@every_sample
@pytest.mark.parametrize("layout", [transposed, strided, reversed_memory])
def test_memory_layout_does_not_matter(name, i, layout):
    sample = SAMPLES[name][i]
    for dtype in FLOATS:
        plain = run(name, laid_out(sample, np.array, dtype), sample.attrs)
        value, grads = run(name, laid_out(sample, layout, dtype), sample.attrs)
        close(value, plain[0], dtype)
        for g, p in zip(grads, plain[1], strict=True):
            assert (g is None) == (p is None)
            if g is not None:
                close(g, p, dtype)


# ---- in place ------------------------------------------------------------------------------------
IN_PLACE = [n for n in SAMPLES if hasattr(microtorch.Tensor, f"{n}_") and n in ELEMENTWISE]


def test_elementwise_ops_have_in_place_twins():
    assert set(ELEMENTWISE) - set(IN_PLACE) == set(ELEMENTWISE) & PARTS


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_twin_is_the_same_op(name):
    for sample in SAMPLES[name]:
        value, grads = run(name, tensors(sample.inputs, data=sample.data), sample.attrs)
        xs = tensors(sample.inputs, data=sample.data)
        target = xs[0].clone()
        view, version = target[...], target._version
        result = getattr(target, f"{name}_")(*xs[1:], **sample.attrs)
        assert result is target and target._version == version + 1
        close(target.detach().numpy(), value)
        for written in (target, view):
            found = autograd.grad(written, xs, seed(written), retain_graph=True)
            for g, p in zip(found, grads, strict=True):
                close(g.numpy(), p)


# ---- backends ------------------------------------------------------------------------------------
LOOPS = [
    f"{n}_vjp{i}"
    for n, (_, vjps) in formulas.TABLE.items()
    for i, v in enumerate(vjps)
    if v is not None
]


@pytest.mark.needs("core")
@pytest.mark.parametrize("loop", [*formulas.TABLE, *LOOPS])
def test_loops_in_c_compute_the_formula(loop):
    name, _, vjp = loop.partition("_vjp")
    forward, vjps = formulas.TABLE[name]
    formula = vjps[int(vjp)] if vjp else forward
    if not hasattr(core.lib, f"{loop}_f32"):
        pytest.skip(f"{loop} has no loop in C")
    if name == "where":
        inputs = [np.array([1, 0, 1, 0, 1, 0], bool), *np.arange(12.0).reshape(2, 6)]
    else:
        inputs = [x.reshape(-1) for x in inputs_for(ELEMENTWISE[name])]
    for attrs in ELEMENTWISE[name].attrs if name != "where" else ({},):
        given = {**formulas.ARGUMENTS.get(name, {}), **attrs}
        reference = backends.Reference()
        values = dict(zip("xyz", inputs, strict=False))
        values = {k: v if v.dtype == bool else v.astype(np.float32) for k, v in values.items()}
        values["out"] = getattr(reference, name)(*values.values(), **given).astype(np.float32)
        values["g"] = np.cos(np.arange(6)).astype(np.float32)
        read = expr.names(formula)
        parameters = [v for v in ("g", "out", "x", "y", "z") if v in values]
        keywords = "".join(f", {k}" for k in given)
        python = expr.compile_python(formula, f"F, {', '.join(parameters)}{keywords}", loop)
        expected = python(reference, *[values[v] for v in parameters], **given)
        arrays = [values[v] for v in ("g", "out", "x", "y", "z") if v in read and v in values]
        out = core.run(loop, *[given[k] for k in given if k in read], *arrays)
        close(out, np.broadcast_to(expected, out.shape), "float32")


@pytest.mark.needs("core")
@every_sample
def test_derivative_kernels_compute_the_declared_derivative(name, i):
    """What a backend offers as ``<op>_vjp<i>``, for formulas and for all other ops."""
    sample = SAMPLES[name][i]
    op = REGISTRY[name].family(len(sample.inputs)) if REGISTRY[name].family else REGISTRY[name]
    for dtype in FLOATS:
        F = core.Core(np.dtype(dtype))
        fused = [
            declared and getattr(F, f"{name}_vjp{k}", None)
            for k, declared in enumerate(op.derivatives)
        ]
        if hasattr(core.Core, f"{name}_vjps"):  # one kernel for all
            fused = [functools.partial(vjp, F) for vjp in op.vjp_kernels[F]]
        if not any(fused):
            return
        xs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in sample.inputs]
        out = np.asarray(getattr(F, name)(*xs, **sample.attrs))
        g = np.cos(np.arange(out.size) * 1.3).reshape(out.shape).astype(dtype)
        for kernel, declared, x in zip(fused, op.derivatives, xs, strict=True):
            d = kernel(g, out, *xs, **sample.attrs) if kernel else None
            if d is not None:
                expected = declared(F, g, out, *xs, **sample.attrs)
                close(unbroadcast(F, d, x.shape), unbroadcast(F, expected, x.shape), dtype)


# ---- the Scalar world ----------------------------------------------------------------------------
@every_sample
def test_scalar_expansion(name, i):
    """The op's own forward on arrays of Scalars: value and gradients are those of the tensor op."""
    sample = SAMPLES[name][i]
    value, grads = run(name, tensors(sample.inputs, data=sample.data), sample.attrs)
    xs = [scalars(x, Scalar) if x.dtype.kind == "f" else x for x in sample.inputs]
    out = np.asarray(getattr(Expansion(), name)(*xs, **sample.attrs))
    assert out.shape == value.shape
    if value.dtype.kind != "f":
        close(out.astype(bool), value)
        return
    floats = np.array([float(v) for v in out.flat]).reshape(out.shape)
    close(floats, value)
    if not differentiable(name, sample):
        return
    for y, g in zip(out.flat, seed(microtorch.tensor(value)).numpy().flat, strict=True):
        if isinstance(y, Scalar) and y.requires_grad:
            y.backward(float(g), retain_graph=True)
    for x, g in zip(xs, grads, strict=True):
        if x.dtype == object and g is not None:
            close(np.array([v.grad or 0.0 for v in x.flat], float).reshape(x.shape), g)


@every_elementwise
def test_scalar_method(name):
    row = ELEMENTWISE[name]
    for attrs in row.attrs:
        inputs = inputs_for(row)
        value, grads = run(name, tensors(inputs), attrs)
        for place in np.ndindex(value.shape):
            xs = [Scalar(float(x[place])) for x in inputs]
            y = getattr(xs[0], name)(*xs[1:], **attrs)
            assert isinstance(y, Scalar)
            close(y.data, value[place])
            y.backward(float(seed(microtorch.tensor(value)).numpy()[place]))
            for x, g in zip(xs, grads, strict=True):
                close(x.grad, g[place])


@every_elementwise
def test_scalar_second_derivative(name):
    row = ELEMENTWISE[name]
    for attrs in row.attrs:
        inputs = [x[0, 1].item() for x in inputs_for(row)]
        mine = [Scalar(v) for v in inputs]
        theirs = [
            microtorch.tensor(v, dtype=microtorch.float64, requires_grad=True) for v in inputs
        ]
        results = []
        for xs, f in (
            (mine, functools.partial(getattr(Scalar, name), **attrs)),
            (theirs, functools.partial(REGISTRY[name], **attrs)),
        ):
            first = autograd.grad(f(*xs), xs, create_graph=True)
            terms = [g for g in first if getattr(g, "requires_grad", False)]
            total = functools.reduce(lambda a, b: a + b * 2.0, terms) if terms else None
            second = (
                [0.0] * len(xs)
                if total is None
                else autograd.grad(total, xs, allow_unused=True, materialize_grads=True)
            )
            found = [getattr(g, "detach", lambda g=g: g)() for g in (*first, *second)]
            results.append([*map(float, found)])
        close(results[0], results[1])


def test_scalars_and_tensors():
    """``stack_scalars`` and ``element``: one graph, both ways, also for second derivatives."""
    a, b = Scalar(0.7), Scalar(-1.2)
    t = Scalar.stack([a, b, a], dtype=microtorch.float64)
    y = (t * t * microtorch.tensor([1.0, 2.0, 3.0], dtype=microtorch.float64)).sum()
    y.backward()
    assert a.grad == pytest.approx(8 * 0.7) and b.grad == pytest.approx(4 * -1.2)
    x = microtorch.tensor([[0.5, 2.0]], dtype=microtorch.float64, requires_grad=True)
    ((p, q),) = x.scalars()
    (g,) = autograd.grad(p * p * q, x, create_graph=True)
    np.testing.assert_allclose(g.detach().numpy(), [[2 * 0.5 * 2.0, 0.25]])
    (h,) = autograd.grad(g.sum(), x)
    np.testing.assert_allclose(h.numpy(), [[2 * 2.0 + 2 * 0.5, 2 * 0.5]])
