"""The hot paths do what the texts that they replace say, in all that can be seen.

Every function with a ``written`` attribute is run beside the written one: on pairs of dtypes and
shapes, with and without gradient, and on numbers, numpy arrays, Scalars, None and text.
"""

import itertools

import numpy as np
import pytest
from ops.running import tensors
from ops.samples import SAMPLES

import microtorch as torch
from microtorch import Scalar
from microtorch.engine import hot, short
from microtorch.engine.apply import apply
from microtorch.engine.registry import REGISTRY
from microtorch.handles.protocols import Protocols

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
METHODS = [n for n in (*vars(Protocols), *vars(torch.Tensor)) if hasattr(torch.Tensor, n)]
MADE = {
    f"{owner}.{name}": f
    for owner, names in (
        ("torch", {name: getattr(torch, name) for name in torch.__all__}),
        ("Tensor", {name: getattr(torch.Tensor, name, None) for name in METHODS}),
    )
    for name, f in names.items()
    if hasattr(f, "written")
}
CODES = {name: getattr(f, "__wrapped__", f).__code__ for name, f in MADE.items()}
BINARY = [name for name, c in CODES.items() if "other" in c.co_varnames[: c.co_argcount]]
UNARY = sorted(set(MADE) - set(BINARY))
DTYPES = (torch.float32, torch.float64, torch.float16, torch.int64, torch.bool)
SHAPES = ((), (1,), (3,), (2, 3), (0, 3))


def operand(dtype, shape, needs):
    n = int(np.prod(shape))
    x = torch.tensor((np.arange(n) % 3 + 0.5).reshape(shape)).to(dtype)
    return x.requires_grad_() if needs else x


def plain(x):
    return x.tolist() if hasattr(x, "tolist") else x


def seen(f, operands):
    """All that a user or another part of the engine can see of a call."""
    try:
        out = f(*operands)
    except Exception as error:
        return type(error), str(error).splitlines()[0]
    if not isinstance(out, torch.Tensor):
        return out
    n = out.node
    fresh = out.array.tobytes(), out.array.shape, out.array.dtype, type(n), n.needs, out.origin
    given = {id(x.node): i for i, x in enumerate(operands) if isinstance(x, torch.Tensor)}
    inputs = [str(given.get(id(x), plain(x.value))) for x in n.inputs]
    saved = [str(plain(s)) if isinstance(s, np.ndarray) else "node" for s in n.saved]
    where = n.where() and (n.where().file, n.where().function)
    return *fresh, inputs, saved, n.attrs, n.scope, n.dev, n.grad, n.hooks, n.storage, where


def compare(f, operands):
    for enabled in (True, False):
        with torch.set_grad_enabled(enabled):
            made, written = seen(f, operands), seen(f.written, operands)
        if made is NotImplemented:  # left to the other operand, "text" * n, where the op refuses
            made = written if written[0] is TypeError else made
        assert made == written, (f, operands, made, written)


def test_the_operators_and_functions_are_there():
    assert {"Tensor.__add__", "Tensor.__matmul__", "Tensor.__neg__", "torch.exp"} <= set(MADE)
    assert torch.Tensor.__add__.__doc__ == "self + other, with broadcasting."
    assert torch.Tensor.__add__.written.__code__.co_filename.endswith("protocols.py")


def test_layers():
    linear = torch.nn.functional.linear
    shapes = (
        ((2, 3), (4, 3), (4,)), ((5, 2, 3), (4, 3), (4,)), ((3,), (3,), ()), ((2, 3), (4, 2), (4,)),
    )  # fmt: skip
    for shape, dtype, needs in itertools.product(shapes, DTYPES, (True, False)):
        if not (needs and not dtype.is_floating_point):
            x, w, b = [operand(dtype, s, needs) for s in shape]
            compare(linear, [x, w])
            compare(linear, [x, w, b])
            compare(linear, [x, w, operand(torch.float64, shape[2], False)])
    for odd in (2.0, np.ones((2, 3)), Scalar(2.0), None, "text"):
        compare(linear, [operand(torch.float32, (2, 3), False), odd])


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name):
    for dtype, shape, needs in itertools.product(DTYPES, SHAPES, (True, False)):
        if not (needs and not dtype.is_floating_point):
            compare(MADE[name], [operand(dtype, shape, needs)])
    for odd in (2.0, 3, np.ones(2), np.float32(2), Scalar(2.0), None, "text"):
        compare(MADE[name], [odd])


@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name):
    f = MADE[name]
    all_kinds = [
        operand(dtype, shape, needs)
        for dtype, shape, needs in itertools.product(DTYPES, SHAPES, (True, False))
        if dtype.is_floating_point or not needs
    ]
    for x, y in itertools.product(all_kinds, all_kinds):
        compare(f, [x, y])
    odd = (
        2.0, -0.0, 3, True, float("nan"), np.ones(3), np.float32(2), Scalar(2.0), None, "text", [1],
    )  # fmt: skip
    for x, y in itertools.product(all_kinds, odd):
        compare(f, [x, y])
        compare(f, [y, x])
    x = operand(torch.float32, (3,), True)
    compare(f, [x, x])


CASES = [pytest.param(n, i, id=f"{n}-{i}") for n, rows in SAMPLES.items() for i in range(len(rows))]


@pytest.mark.parametrize(("name", "i"), CASES)
def test_several_and_single(name, i):
    """``single`` and ``several`` on every op, also on those that are never given to them."""
    sample, op = SAMPLES[name][i], REGISTRY[name]
    for dtype, grad in itertools.product(("float32", "float64"), (True, False)):
        with torch.set_grad_enabled(grad):
            xs = tensors(sample.inputs, dtype, sample.data)
            attrs = sample.attrs or None
            expected = whole(apply(op, xs, attrs))
            if not op.view:
                assert whole(short.several(op, xs, attrs)) == expected
            if len(xs) == 1 and op.result == "keep" and op.family is None:
                assert whole(as_function(op, xs[0], sample.attrs)) == expected


VIEWS = [case for case in CASES if REGISTRY[case.values[0]].view]


@pytest.mark.parametrize(("name", "i"), VIEWS)
def test_viewing(name, i):
    """Of a leaf, of results, of views and of what gives a copy; also where the op refuses."""
    sample, op = SAMPLES[name][i], REGISTRY[name]
    attrs = sample.attrs
    made = hot.viewing(op, *attrs) if len(attrs) == 1 else hot.viewing(op)
    argument = next(iter(attrs.values())) if len(attrs) == 1 else attrs
    for dtype, grad in itertools.product(("float32", "float64"), (True, False)):
        with torch.set_grad_enabled(grad):
            (x,) = tensors(sample.inputs, dtype, sample.data)
            turned = x.mT.contiguous().mT if x.ndim > 1 else x
            for t in (x, x.detach(), x * 1, (x * 1)[...], turned, Scalar(2.0), None):
                seen = outcome(t, as_function_of, made, t, argument)
                assert seen == outcome(t, apply, op, [t], attrs)


def outcome(x, f, *arguments):
    """All but the line, which is that of the function's caller; and the base of a tensor's view."""
    try:
        out = f(*arguments)
    except Exception as error:
        return type(error)
    return whole(out)[:-1], isinstance(x, torch.Tensor) and out.origin and id(out.origin[0])


def as_function_of(made, x, argument):
    return made(x, argument)


@pytest.mark.parametrize("name", ["cat", "stack"])
def test_joined(name):
    op, more = REGISTRY[name], int(name == "stack")
    for dtype, needs, grad, n in itertools.product(
        (torch.float32, torch.float64), (True, False), (True, False), (1, 2, 3)
    ):
        with torch.set_grad_enabled(grad):
            xs = [operand(dtype, (2, 3), needs and i == 1) for i in range(n)]
            for dim in range(-2 - more, 2 + more):
                expected = whole(apply(op, xs, {"dim": dim % (2 + more)}))
                assert whole(short.joined(op, xs, dim, more)) == expected
    x, y = operand(torch.float32, (2,), True), operand(torch.float64, (2,), True)
    number = torch.tensor([1, 2])
    mixed = [number, number.int()]
    for xs, dim in (([x, y], 0), ([x], 5), ([], 0), ([x, 1], 0), (mixed, 0), (x, 0)):
        assert short.joined(op, xs, dim, more) is None
    for xs in ([number], [number, -number], [number > 1] * 3):
        assert whole(short.joined(op, xs, 0, more)) == whole(apply(op, xs, {"dim": 0}))


def as_function(op, x, attrs):
    """``single`` is called by the function that the user calls."""
    return short.single(op, x, attrs)


def whole(out):
    n = out.node
    saved = [str(plain(s)) if isinstance(s, np.ndarray) else "node" for s in n.saved]
    place = (out.origin is None) or [op.name for op, _ in out.origin[1]]
    where = n.where() and n.where().function
    return (
        out.array.tobytes(), out.array.shape, out.array.dtype, type(n), n.needs, len(n.inputs),
        saved, str(n.attrs or None), n.scope, n.dev, place, where,
    )  # fmt: skip
