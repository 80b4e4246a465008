"""Transforms in one another: each result beside finite differences of what it is the derivative of.

Random functions (joins, writes in place, indices, solves, losses) in random nests of ``grad``,
``jacrev``, ``jacfwd``, ``jvp`` and ``vmap``.
"""
from __future__ import annotations

import random

import numpy as np
import pytest

import microtorch as torch
from microtorch import func, nn
from microtorch.kinds import trees
from microtorch.nn import functional as F


def overwritten(x):
    y = x.clone()
    y[0].fill_(1.0)
    return y * x


def first_written(x):
    y = torch.zeros_like(x) + x * 0
    y[..., 0] = x[..., 0].sin()
    return y + x


def written_after(x):
    y = x + 1
    y.mul_(3.0)
    return x * y


def solved(x):
    a = x.reshape(-1, 1) * x.reshape(1, -1) + torch.eye(x.numel(), dtype=x.dtype) * 3
    return torch.linalg.solve(a, x.reshape(-1))


STEPS = {
    "sin": torch.sin,
    "square": lambda x: x**2,
    "softmax": lambda x: x.softmax(-1),
    "cumsum": lambda x: x.cumsum(-1),
    "flip and scale": lambda x: x.flip(-1) * x,
    "joined": lambda x: torch.cat([x, x.sin()], 0),
    "stacked": lambda x: torch.stack([x, x * 2], -1),
    "index": lambda x: x[torch.tensor([1, 0, 1])] * x[0],
    "largest": lambda x: x.reshape(-1)[x.detach().reshape(-1).abs().argmax()] * x,
    "overwritten": overwritten,
    "first written": first_written,
    "written after": written_after,
    "loss": lambda x: F.cross_entropy(x.reshape(1, -1), torch.tensor([1])),
    "norm": lambda x: torch.complex(x, x.sin()).abs(),
    "layer norm": lambda x: F.layer_norm(x * torch.arange(1.0, x.shape[-1] + 1), x.shape[-1:]),
    "solved": solved,
    "as numbers": lambda x: (x > 0).to(x.dtype) * x * x,
    "trace": lambda x: torch.outer(x.reshape(-1), x.reshape(-1).cos()).trace(),
}


def total(f):
    return lambda x: f(x).sum()


def along(f):
    """The derivative in direction of ones."""
    return lambda x: torch.func.jvp(f, (x,), (torch.ones_like(x),))[1]


def of_two(f):
    return lambda x: torch.vmap(f, out_dims=-1)(torch.stack([x, x * 0.5]))


def in_chunks(f):
    return lambda x: torch.vmap(f, in_dims=-1, chunk_size=1)(torch.stack([x, x * 0.5], -1))


# each with what it makes of the matrix of the derivatives of f, one row for each element of f(x)
DERIVATIVES = {
    "grad": (lambda f: torch.func.grad(total(f)), lambda J: J.sum(0)),
    "jacrev": (torch.func.jacrev, lambda J: J),
    "jacfwd": (torch.func.jacfwd, lambda J: J),
    "jvp": (along, lambda J: J.sum(1)),
}
NESTS = {
    **{name: make for name, (make, _) in DERIVATIVES.items()},
    "vmap": of_two,
    "chunks": in_chunks,
    "hessian": lambda f: torch.func.hessian(total(f)),
}


def differences(f, x, step=1e-5):
    """The matrix of the derivatives of f, by central differences of the fourth order."""
    columns = []
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = step
        up, down, up2, down2 = (
            f(torch.tensor(x + k * e)).detach().numpy() for k in (1, -1, 2, -2)
        )
        columns.append((8 * (up - down) - (up2 - down2)).reshape(-1) / (12 * step))
    return np.stack(columns, -1)


def program(seed):
    """(a function, the last derivative taken of it, a point), named."""
    choose = random.Random(seed)
    steps = [choose.choice([*STEPS]) for _ in range(choose.randint(1, 3))]
    nests = [choose.choice([*NESTS]) for _ in range(choose.randint(0, 2))]

    def f(x):
        for name in steps:
            x = STEPS[name](x) if x.ndim else x.sin() * x
        return x

    for name in nests:
        f = NESTS[name](f)
    shape = choose.choice([(2,), (3,), (2, 2)])
    x = np.random.default_rng(seed).uniform(0.3, 1.2, shape)
    return f, choose.choice([*DERIVATIVES]), x, f"{steps}, {nests}"


@pytest.mark.parametrize("seed", range(60))
def test_random_nests(seed):
    f, last, x, told = program(seed)
    make, of_matrix = DERIVATIVES[last]
    wanted = of_matrix(differences(f, x))
    found = make(f)(torch.tensor(x)).detach().numpy().reshape(wanted.shape)
    scale = 1 + np.abs(wanted).max()
    np.testing.assert_allclose(found / scale, wanted / scale, atol=2e-6, err_msg=f"{told}, {last}")


def test_a_write_leaves_the_tangent_of_the_operand():
    """x + 1 has the tangent of x, and memory of its own."""
    for f in (
        lambda x: (x + 1).mul_(3.0) * x,
        lambda x: (torch.zeros_like(x) + x).fill_(5.0) * x,
        lambda x: (x.sum() + torch.zeros(3)).index_fill_(0, torch.tensor([0]), 5.0) * x,
        lambda x: x.clamp(-9, 9).mul_(x) * x,
    ):
        x = torch.tensor([1.0, 2.0, 3.0])
        forward, backward = torch.func.jacfwd(f)(x), torch.func.jacrev(f)(x)
        assert torch.equal(forward, backward)


def test_a_write_to_the_input_writes_the_given_tangent():
    x, v = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 1.0])
    _, t = torch.func.jvp(lambda x: x.mul_(2.0) * x, (x,), (v,))
    assert (t.tolist(), x.tolist(), v.tolist()) == ([4.0, 16.0], [2.0, 4.0], [1.0, 2.0])


def test_levels_of_one_device_are_told_apart():
    """(x > 0) inside of vmap has lost the level of dual numbers, which x has."""
    x = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    f = torch.vmap(lambda row: (row > 0).to(row.dtype) * row.square())
    _, t = torch.func.jvp(f, (x,), (torch.ones_like(x),))
    assert t.tolist() == [[2.0, 0.0], [6.0, 8.0]]


def test_a_function_meets_a_shared_argument_in_the_batch():
    """Its gradient is the sum of the samples', in any order of transforms."""

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx, g):
            x, w = ctx.saved_tensors
            return Product.apply(g, w), Product.apply(g, x)

    w = torch.tensor([1.0, 2.0], requires_grad=True)
    xs = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    torch.vmap(lambda x: Product.apply(x, w))(xs).sum().backward()
    assert w.grad.tolist() == [9.0, 12.0]
    h = torch.func.jacrev(torch.func.jacrev(lambda w: Product.apply(w, w).sum()))(w.detach())
    assert h.tolist() == [[2.0, 0.0], [0.0, 2.0]]


# ---- modules -------------------------------------------------------------------------------------
def bag(mode):
    return nn.EmbeddingBag(10, 4, mode=mode, padding_idx=2)


MODULES = {
    "adaptive": (lambda: nn.Sequential(nn.Conv1d(2, 3, 2), nn.AdaptiveMaxPool1d(2)), (2, 7)),
    "volumes": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.MaxPool3d(2)), (1, 4, 4, 4)),
    "fractional": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, 1),
            nn.FractionalMaxPool2d(2, 2, _random_samples=torch.full((1, 2, 2), 0.3).double()),
        ),
        (1, 5, 5),
    ),
    **{f"bag, {mode}": (lambda mode=mode: bag(mode), None) for mode in ("max", "mean", "sum")},
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_gradients_of_each_sample_and_forward_mode(name):
    """vmap(grad) is a loop of backward; jvp is the vjp, transposed."""
    make, shape = MODULES[name]
    torch.manual_seed(0)
    net = make().double()
    rng = np.random.default_rng(0)
    if shape is None:
        xs = torch.tensor([[1, 2, 5], [2, 2, 2], [7, 1, 1]])
    else:
        xs = torch.tensor(rng.standard_normal((3, *shape)))
    params = {n: p.detach() for n, p in net.named_parameters()}

    def outcome(p, x):
        return torch.func.functional_call(net, p, (x.unsqueeze(0),))

    def loss(p, x):
        return outcome(p, x).square().sum()

    found = torch.vmap(torch.func.grad(loss), (None, 0))(params, xs)
    for i, x in enumerate(xs):
        one = torch.func.grad(loss)(params, x)
        for n in params:
            assert torch.allclose(found[n][i], one[n])
    towards = {n: torch.tensor(rng.standard_normal(p.shape)) for n, p in params.items()}
    y, t = torch.func.jvp(lambda p: outcome(p, xs[0]), (params,), (towards,))
    (back,) = torch.func.vjp(lambda p: outcome(p, xs[0]), params)[1](torch.ones_like(y))
    assert torch.allclose(t.sum(), sum((back[n] * towards[n]).sum() for n in params))


def test_the_tangent_of_an_embedding_is_not_divided_by_frequency():
    """What scale_grad_by_freq changes is the gradient, not the function."""
    w, i = torch.ones(3, 2), torch.tensor([0, 0, 1])
    _, t = torch.func.jvp(lambda w: F.embedding(i, w, scale_grad_by_freq=True), (w,), (w,))
    assert torch.equal(t, torch.ones(3, 2))


# ---- writes and views ----------------------------------------------------------------------------
def constant_scaled(x):
    y = torch.ones(3, dtype=x.dtype)
    y.mul_(x)
    return (1 + 2 * y) ** 2


def constant_through_views(x):
    y = torch.zeros(2, 3, dtype=x.dtype)
    first, second = y[0], y[1]
    first.copy_(x)
    second.add_(y[0])
    return y[1] ** 2 * x


def seen_through_an_expanded_view(x):
    y = x.exp() * 1
    wide = y.expand(2, 3)
    y += x
    return wide.sin()


def through_strides(x):
    y = x.sin()
    y.as_strided((2,), (2,)).mul_(x[:2])
    return y * x


def among_pieces(x):
    y = torch.ones(2, 3, dtype=x.dtype) * 2
    pieces = y.unbind(0)
    y.mul_(x)
    return y * x * len(pieces)


def reads_alone(x):
    y = x.flip(0) * 0 + 1
    y.sub_(torch.ones(3, dtype=x.dtype), alpha=0.5)
    return y.atan2(x) * x


WRITES = (constant_scaled, constant_through_views, seen_through_an_expanded_view, through_strides,
          among_pieces, reads_alone)  # fmt: skip


@pytest.mark.parametrize("f", WRITES)
def test_writes_and_views_in_all_nests(f):
    forward, reverse = torch.func.jacfwd, torch.func.jacrev
    g, x = (lambda x: f(x).sum()), torch.tensor([0.5, -0.3, 0.7], dtype=torch.float64)
    wanted = differences(reverse(g), x.numpy())
    for outer in (forward, reverse):
        for inner in (forward, reverse):
            found = outer(inner(g))(x).numpy()
            np.testing.assert_allclose(found, wanted, atol=1e-6, err_msg=f"{outer} {inner}")
    way = torch.eye(3, dtype=x.dtype) + x
    along = torch.vmap(lambda t: torch.func.jvp(reverse(g), (x,), (t,))[1])(way).numpy()
    np.testing.assert_allclose(along, way.numpy() @ wanted, atol=1e-6)
    _, t = torch.func.jvp(lambda x: torch.vmap(g)(x).sum(), (x[None],), (way[:1],))
    np.testing.assert_allclose(t.item(), (reverse(g)(x) @ way[0]).item(), atol=1e-10)


@pytest.mark.parametrize("write", [
    lambda c, x: c.add_(1), lambda c, x: c.mul_(x), lambda c, x: c.view(3, 1)[:1].zero_(),
    lambda c, x: c.__setitem__(0, 1.0),
])  # fmt: skip
def test_a_constant_that_is_overwritten_after_it_was_saved_is_refused(write):
    def f(x):
        c = torch.ones(3, dtype=x.dtype) * 2
        y = c * x.sin()
        write(c, x)
        return y.sum()

    x, grad = torch.rand(3, dtype=torch.float64), torch.func.grad
    for nest in (
        grad(f), lambda x: torch.vmap(grad(f))(x[None]), torch.func.jacfwd(grad(f)),
        grad(lambda x: torch.func.jvp(f, (x,), (x,))[1]),
        grad(lambda x: torch.vmap(f)(x[None]).sum()),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            nest(x)


@pytest.mark.parametrize("lies", ["rows", "turned", "expanded", "part"])
def test_a_tangent_is_seen_through_the_views_of_its_primal(lies):
    def f(x):
        x.view(-1).mul_(2)
        y = x.T.contiguous().T
        y.T.view(-1).add_(1)
        z = torch.zeros_like(x.T.contiguous()).T
        z.copy_(y)
        z.T.view(-1)[1:].mul_(3)
        return z**2

    def tangent():
        return {
            "rows": lambda: torch.arange(1.0, 7, dtype=x.dtype).reshape(2, 3),
            "turned": lambda: torch.arange(1.0, 7, dtype=x.dtype).reshape(3, 2).T,
            "expanded": lambda: torch.arange(1.0, 4, dtype=x.dtype).expand(2, 3),
            "part": lambda: torch.arange(24, dtype=x.dtype).reshape(4, 6)[::2, ::2],
        }[lies]()

    x = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    jacobian = torch.func.jacrev(lambda x: f(x.clone()))(x)
    wanted = torch.einsum("ijkl,kl->ij", jacobian, tangent())
    assert torch.func.jvp(f, (x.clone(),), (tangent(),))[1].allclose(wanted)
    ts = torch.stack([tangent(), -tangent()])
    _, both = torch.func.jvp(torch.vmap(f), (torch.stack([x, x]),), (ts,))
    assert both.allclose(torch.stack([wanted, -wanted]))


def test_what_no_place_can_be_found_for_is_refused():
    """A sample lies with gaps where the samples are along another dimension."""
    def f(x):
        y = x.sin()
        y.as_strided((2,), (2,)).mul_(2)
        return (y * y).sum()

    x = torch.rand(2, 3, 3)
    with pytest.raises(RuntimeError, match="lay with gaps"):
        torch.vmap(torch.func.grad(f), 1)(x)


def product(x, y):
    return (x.sin() * y).sum()


def solve(x, y):
    return torch.linalg.solve(x @ x.mT + torch.eye(2), y).sum()


@pytest.mark.parametrize("f", [product, solve])
def test_nothing_of_the_graph_leaves_a_transform(f):
    """Leaves of the transforms within it, and of Functions, are nobody's when it ends."""
    x, y = torch.eye(2) * 2 + 0.1, torch.ones(2, 2)
    both = func.grad(f, argnums=(0, 1))
    nests = [
        func.grad_and_value(lambda x, y: both(x, y)[0].sum())(x, y),
        func.grad(lambda x, y: func.vjp(lambda a: f(a, y), x)[0], argnums=1)(x, y),
        func.vjp(lambda x: func.vjp(f, x, y)[1](torch.ones(()))[0], x)[0],
        func.jacfwd(lambda x, y: func.vjp(lambda a: f(a, y), x)[0], argnums=1)(x, y),
        func.grad(lambda x, y: func.jacfwd(f)(x, y).sum())(x, y),
        func.hessian(f)(x, y), func.jacrev(both, argnums=(0, 1))(x, y),
        func.vmap(func.grad(lambda x, y: both(x, y)[1].sum()))(x[None], y[None]),
    ]  # fmt: skip
    assert not any(t.requires_grad for t in trees.flatten(nests)[0])
    w = torch.ones(2, 2, requires_grad=True)  # what leads outside still does
    found = func.grad(lambda x: func.vjp(lambda a: f(a, w), x)[0])(x)
    (g,) = torch.autograd.grad(found.sum(), w)
    expected = func.jacrev(lambda w: func.grad(f)(x, w).sum())(w.detach())
    assert torch.allclose(g, expected, atol=1e-6)
