"""Forward mode: torch.func.jvp, jacfwd, linearize, and torch.autograd.forward_ad."""

import math

import numpy as np
import pytest

import microtorch as torch
from microtorch import func
from microtorch.autograd import forward_ad as fw

D = torch.float64
X = torch.tensor([[0.3, -1.2, 0.7], [2.0, 0.1, -0.4]], dtype=D)
T = torch.tensor([[1.0, 0.5, -0.2], [0.3, -1.0, 2.0]], dtype=D)


def same(t, expected, tolerance=1e-12):
    np.testing.assert_allclose(t.detach().numpy(), expected, tolerance, tolerance)


def difference(f, x, t, eps=1e-6):
    """The derivative of ``f`` in direction ``t``, by a central difference."""
    return ((f(x + eps * t) - f(x - eps * t)) / (2 * eps)).numpy()


# ---- jvp -----------------------------------------------------------------------------------------
def test_jvp_of_formulas():
    y, d = func.jvp(torch.sin, (X,), (T,))
    same(y, np.sin(X.numpy()))
    same(d, np.cos(X.numpy()) * T.numpy())
    assert not d.requires_grad
    y, d = func.jvp(lambda x, w: x @ w, (X, X.T), (T, T.T))
    same(d, T.numpy() @ X.numpy().T + X.numpy() @ T.numpy().T)
    _, d = func.jvp(lambda p: {"a": p["x"] * 2, "b": [p["x"].sum()]}, ({"x": X},), ({"x": T},))
    same(d["b"][0], T.numpy().sum())
    _, d, aux = func.jvp(lambda x: (x * x, x + 1), (X,), (T,), has_aux=True)
    same(aux, X.numpy() + 1)
    pixels, rows = torch.channels_last, (X.expand(1, 2, 2, 3),)
    _, d = func.jvp(lambda x: x.contiguous(memory_format=pixels), rows, (T.expand(1, 2, 2, 3),))
    same(d, T.expand(1, 2, 2, 3).numpy())
    y, back = func.linearize(torch.exp, X)
    same(back(T), np.exp(X.numpy()) * T.numpy())


PROGRAMS = {
    "softmax": lambda x: torch.softmax(x, 1).cumsum(0),
    "sorted": lambda x: x.sort(1)[0] * torch.arange(3.0, dtype=D) + x.max(),
    "norms": lambda x: x.norm() + x.std(1) + x.logsumexp(0)[:2],
    "joined": lambda x: torch.cat([x, x.flip(0)]).prod(1),
    "indexed": lambda x: x[torch.tensor([1, 0, 1]), 1:] ** 2,
    "layer": lambda x: torch.nn.functional.layer_norm(x, (3,)),
    "groups": lambda x: torch.nn.functional.group_norm(x[None], 2, x[:, 0], x[:, 1]),
    "loss": lambda x: torch.nn.functional.cross_entropy(x, torch.tensor([0, 2])),
    "image": lambda x: torch.nn.functional.max_pool2d(
        torch.nn.functional.conv2d(x.expand(2, 4, 2, 3), torch.ones(2, 4, 1, 2, dtype=D)), 1
    ),
    "matrices": lambda x: torch.linalg.inv(x @ x.T) + torch.linalg.det(x @ x.T),
    "where": lambda x: torch.where(x > 0, x**3, x.exp()),
    "quantile": lambda x: torch.quantile(torch.arange(5.0, dtype=D), x[0].sigmoid()),
}


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 2.5, 3, math.inf])
def test_the_derivative_of_a_norm_at_0_is_0(p):
    for n in (0, 3) if 0 < p < math.inf else (3,):
        zeros = torch.zeros(n)
        same(func.jvp(lambda x: torch.linalg.norm(x, p), (zeros,), (torch.ones(n),))[1], 0.0)
        if 3 <= p < math.inf and n:
            same(func.jacrev(func.grad(lambda x: torch.linalg.norm(x, p)))(zeros), np.zeros((n, n)))


@pytest.mark.parametrize("draw", [
    torch.bernoulli, torch.poisson, torch.rand_like, lambda p: torch.normal(p, p),
    lambda p: torch.normal(1.0, p), lambda p: torch.binomial(torch.ones(2, 3, dtype=D), p),
])  # fmt: skip
def test_what_is_drawn_has_no_derivative(draw):
    p = X.sigmoid()
    y, d = func.jvp(lambda p: torch.stack([draw(p), draw(p) * p]), (p,), (T,))
    same(d[0], 0 * T.numpy())
    same(d[1], y.numpy()[1] / p.numpy() * T.numpy())


@pytest.mark.parametrize("name", PROGRAMS)
def test_jvp_is_a_limit(name):
    f = PROGRAMS[name]
    y, d = func.jvp(f, (X,), (T,))
    same(y, f(X).numpy())
    same(d, difference(f, X, T), 1e-7)
    same(func.jvp(f, (X,), (T,))[1], torch.autograd.functional.jvp(f, X, T)[1].numpy(), 1e-10)
    both = torch.vmap(lambda t: func.jvp(f, (X,), (t,))[1])(torch.stack([T, -2 * T]))
    same(both[0], d.numpy())
    same(both[1], -2 * d.numpy())


def test_writes_in_forward_mode():
    def f(x):
        z = torch.zeros(2, 3, dtype=D)
        row, back = z[1], z.t()
        row.add_(x[0])
        back[0] = x[:, 2].exp()
        z *= x
        return torch.stack([z, back.t() * 2, row.expand(2, 3)])

    same(func.jvp(f, (X,), (T,))[1], difference(f, X, T), 1e-7)
    kept = torch.zeros(2, dtype=D)
    with pytest.raises(RuntimeError, match="mutate a captured Tensor"):
        func.jvp(lambda x: kept.copy_(x[:, 0]), (X,), (T,))
    with fw.dual_level():
        kept.copy_(fw.make_dual(X, T)[:, 0] * 2)
        same(fw.unpack_dual(kept).tangent, 2 * T[:, 0].numpy())
    same(kept, 2 * X[:, 0].numpy())
    assert type(kept.array) is np.ndarray  # what was written outside has no tangent afterwards


def test_modes_in_one_another():
    def f(x):
        return (x.prod() * x).sin().sum()

    g = func.grad(f)
    forward_of_reverse = func.jvp(g, (X,), (T,))[1]
    same(forward_of_reverse, difference(g, X, T), 1e-6)
    reverse_of_forward = func.grad(lambda x: func.jvp(f, (x,), (T,))[1])(X)
    same(reverse_of_forward, forward_of_reverse.numpy(), 1e-10)
    third = func.jvp(lambda x: func.jvp(g, (x,), (T,))[1], (X,), (T,))[1]
    same(third, difference(lambda x: func.jvp(g, (x,), (T,))[1], X, T), 1e-5)
    same(func.jvp(torch.vmap(f), (X,), (T,))[1], [difference(f, x, t) for x, t in zip(X, T)], 1e-6)  # noqa: B905
    # the inner derivative is that of b alone: x (x + b) has the derivative x, not 2 x
    inner = func.grad(lambda x: x * func.jvp(lambda b: x * b, (x,), (torch.ones_like(x),))[1])
    same(inner(torch.tensor(3.0, dtype=D)), 6.0)


def test_gradients_of_a_tangent():
    x, w = X.clone().requires_grad_(), T.T.clone().requires_grad_()
    y, d = func.jvp(lambda x: (x @ w).tanh(), (x,), (T,))
    (y.sum() + (d**2).sum()).backward()
    x2, w2 = X.clone().requires_grad_(), T.T.clone().requires_grad_()
    y2, d2 = torch.autograd.functional.jvp(lambda x: (x @ w2).tanh(), x2, T, create_graph=True)
    (y2.sum() + (d2**2).sum()).backward()
    same(x.grad, x2.grad.numpy())
    same(w.grad, w2.grad.numpy())


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: func.jvp(torch.sin, X, T), "primals to be a tuple"),
        (lambda: func.jvp(torch.sin, (X,), (T, T)), "same python structure"),
        (lambda: func.jvp(torch.sin, (X,), (T[0],)), "same shape|different size"),
        (lambda: func.jvp(torch.sin, (3.0,), (1.0,)), "only contain Tensors"),
        (lambda: func.jvp(lambda x: 3.0, (X,), (T,)), "return only tensors"),
        (lambda: func.jvp(lambda x: T, (X,), (T,), strict=True), "independent"),
        (lambda: func.jvp(torch.sin, (X,), (T.float(),)), "same dtype"),
        (lambda: func.jvp(lambda x: x.sum(), (), ()), "at least one"),
    ],
)
def test_what_jvp_refuses(make, text):
    with pytest.raises(RuntimeError, match=text):
        make()


def test_what_does_not_depend_on_the_input_has_zeros():
    same(func.jvp(lambda x: T, (X,), (T,))[1], np.zeros((2, 3)))
    same(func.jvp(lambda x: x.detach() + x.floor(), (X,), (T,))[1], np.zeros((2, 3)))


# ---- dual levels ---------------------------------------------------------------------------------
def test_dual_tensors():
    with fw.dual_level():
        x = fw.make_dual(X, T)
        assert fw.unpack_dual(x).tangent is T and fw.unpack_dual(X).tangent is None
        assert "tangent=tensor(" in repr(x)
        y = x.sin() + X
        primal, tangent = fw.unpack_dual(y)
        same(tangent, np.cos(X.numpy()) * T.numpy())
        with pytest.raises(RuntimeError, match="Nested forward mode"):
            fw.enter_dual_level()
        with pytest.raises(ValueError, match="floating point"):
            fw.make_dual(torch.tensor([1]), torch.tensor([1]))
        mixed = fw.unpack_dual(fw.make_dual(X, T.float()).exp()).tangent
        assert mixed.dtype is D and torch.allclose(mixed, X.exp() * T)
        assert fw.unpack_dual(x > 0).tangent is None
        assert fw.unpack_dual(x.detach()).tangent is None
    assert fw.unpack_dual(y).tangent is None
    same(fw.unpack_dual(y).primal, primal.numpy())
    with pytest.raises(RuntimeError, match="no level exists"):
        fw.make_dual(X, T)
    with pytest.raises(RuntimeError, match="Trying to exit"):
        fw.exit_dual_level()


def test_backward_inside_of_a_level():
    x = X.clone().requires_grad_()
    with fw.dual_level():
        d = fw.make_dual(x, T)
        y = (d**3).sum()
        (g,) = torch.autograd.grad(y, d, retain_graph=True)
        primal, tangent = fw.unpack_dual(g)  # the gradient, and H t
        same(primal, 3 * X.numpy() ** 2)
        same(tangent, 6 * X.numpy() * T.numpy())
        y.backward()
    same(x.grad, 3 * X.numpy() ** 2)


def test_parameters_as_dual_tensors():
    net = torch.nn.Linear(3, 2).double()
    w, b = net.weight.detach(), net.bias.detach()
    del net.weight
    with fw.dual_level():
        net.weight = fw.make_dual(w, torch.ones_like(w))
        out = fw.unpack_dual(net(X))
        same(out.tangent, np.repeat(X.numpy().sum(1), 2).reshape(2, 2))
        same(out.primal, X.numpy() @ w.numpy().T + b.numpy())


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, n):
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        ctx.n = n
        return x**3 * n

    @staticmethod
    def jvp(ctx, t, n):
        assert n is None
        (x,) = ctx.saved_tensors
        return 3 * x**2 * t * ctx.n

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * g * ctx.n, None


class Plain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


class Mapped(Plain):
    @staticmethod
    def vmap(info, in_dims, x):
        assert info.batch_size == 2 and in_dims == (0,)
        return x * 5, 0


def test_custom_functions():
    _, d = func.jvp(lambda x: Cube.apply(x, 2), (X,), (T,))
    same(d, 6 * X.numpy() ** 2 * T.numpy())
    same(func.jvp(func.grad(lambda x: Cube.apply(x, 1).sum()), (X,), (T,))[1],
         6 * X.numpy() * T.numpy())  # fmt: skip
    with pytest.raises(NotImplementedError, match="must implement the jvp function"):
        func.jvp(Plain.apply, (X,), (T,))
    same(torch.vmap(Plain.apply)(X), 2 * X.numpy())
    same(torch.vmap(Mapped.apply)(X), 5 * X.numpy())
    same(torch.vmap(func.grad(lambda x: Cube.apply(x, 1).sum()))(X), 3 * X.numpy() ** 2)


def test_gradcheck_of_forward_mode():
    x = X.clone().requires_grad_()

    def f(x):
        return (x.softmax(1) * x).sum(0)

    assert torch.autograd.gradcheck(f, x, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradcheck(f, x, check_forward_ad=True, check_backward_ad=False)

    class Wrong(Cube):
        @staticmethod
        def jvp(ctx, t, n):
            return t

    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda x: Wrong.apply(x, 1), x, check_forward_ad=True)


def test_recurrent_layers_and_attention():
    lstm = torch.nn.LSTM(3, 4).double()
    x = torch.rand(5, 2, 3, dtype=D)
    t = torch.rand(5, 2, 3, dtype=D)
    with torch.no_grad():
        f = lambda x: lstm(x)[0]  # noqa: E731
        same(func.jvp(f, (x,), (t,))[1], difference(f, x, t), 1e-7)
    heads = torch.nn.MultiheadAttention(4, 2).double()
    q, t = torch.rand(3, 2, 4, dtype=D), torch.rand(3, 2, 4, dtype=D)
    with torch.no_grad():
        f = lambda q: heads(q, q, q)[0]  # noqa: E731
        same(func.jvp(f, (q,), (t,))[1], difference(f, q, t), 1e-7)


Z = torch.tensor([1 + 2j, -0.5 + 0.3j], dtype=torch.complex128)
DIRECTION = torch.tensor([0.3 - 1j, 2 + 0.7j], dtype=torch.complex128)


@pytest.mark.parametrize("function", [torch.abs, torch.angle, torch.sgn, lambda z: z / z.abs()])
def test_not_holomorphic(function):
    """The tangent of |z| is a real number: the derivative along the direction."""
    h = 1e-6
    numeric = (function(Z + h * DIRECTION) - function(Z - h * DIRECTION)) / (2 * h)
    _, tangent = func.jvp(function, (Z,), (DIRECTION,))
    assert tangent.dtype is numeric.dtype
    assert torch.allclose(tangent, numeric, atol=1e-8)


def test_size_and_sign_at_0_turn_no_direction_into_nan():
    z = torch.tensor([0j, 0j], dtype=torch.complex128)
    for f in (torch.sgn, func.grad(lambda z: z.abs().sum())):
        assert [x.tolist() for x in func.jvp(f, (z,), (DIRECTION,))] == [[0, 0]] * 2


def test_in_place_in_both_kinds_at_once():
    x, c = torch.tensor([0.3, -1.2]).double(), torch.tensor([2.0, 3.0]).double()

    def scattered(x):
        y = x * 1
        y.scatter_(0, torch.zeros_like(y, dtype=torch.int64), c)
        return (y * y).sum()

    assert func.hessian(scattered)(x).tolist() == [[0, 0], [0, 2]]
    quantile = func.jacfwd(lambda x: x.quantile(0.25, keepdim=True))(x)
    assert quantile.tolist() == [[0.25, 0.75]]


def test_a_captured_leaf_receives_a_plain_gradient():
    """Where a gradient leaves the level, the copy that a leaf keeps is none of the level's."""
    m, b = (torch.ones(n, 3, requires_grad=True) for n in (3, 1))
    for f in (lambda m: (m @ b[0]).pow(2).sum(), lambda m: (m + b).sum()):
        m.grad = b.grad = None
        out, tangent = torch.func.jvp(f, (m,), (torch.ones(3, 3),))
        (out * tangent).backward()
        assert type(m.grad.numpy()) is type(b.grad.numpy()) is np.ndarray


def test_tangents_that_make_dual_refuses():
    x = torch.ones(2)
    with fw.dual_level():
        with pytest.raises(ValueError, match="floating point"):
            fw.make_dual(x, torch.ones(2, dtype=torch.int64))
        with pytest.raises(RuntimeError, match="same level"):
            fw.make_dual(x, fw.make_dual(torch.ones(2), x))


def test_a_gradient_inside_of_a_level_has_its_tangent_also_for_what_lies_outside():
    w = torch.tensor([1.0, 2.0], dtype=D, requires_grad=True)
    x, t = torch.tensor([3.0, 4.0], dtype=D), torch.ones(2, dtype=D)
    with fw.dual_level():
        d = fw.make_dual(x, t)
        for create in (False, True):
            loss = ((w * 2).exp() * d).sum() + (w[:1].expand(2) * d * d).sum()
            (g,) = torch.autograd.grad(loss, w, create_graph=create)
            tangent = fw.unpack_dual(g).tangent.detach()  # d/dx of 2 exp(2w) x, and of the sum x²
            same(tangent, 2 * np.exp([2.0, 4.0]) + [14.0, 0.0])
        (w + d).sum().backward()  # .grad outlives the level
    assert type(w.grad.array) is np.ndarray and w.grad.tolist() == [1, 1]


def test_second_derivatives_by_forward_over_reverse_and_of_complex_numbers():
    rng = np.random.default_rng(0)
    a, b = (
        torch.tensor(rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))).requires_grad_()
        for _ in range(2)
    )
    for f in (lambda a, b: a @ b.mT, lambda a, b: a / b, lambda a, b: (a.conj() * b).real):
        assert torch.autograd.gradcheck(f, (a, b), check_forward_ad=True)
        assert torch.autograd.gradgradcheck(f, (a, b), check_fwd_over_rev=True)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda a: a * a.detach().conj(), a, check_forward_ad=True)


# ---- second derivatives, in every order of the two modes -----------------------------------------
F = torch.nn.functional
SPD = torch.eye(3, dtype=D) * 2
TWICE = [
    lambda x: (x[0] @ x[1]).sum(),  # a sum of one number, in a loop over the samples
    lambda x: (torch.relu(x) ** 2).sum(),
    lambda x: (F.max_pool1d(x[None], 2) ** 2).sum(),
    lambda x: F.cross_entropy(x, torch.tensor([1, 0])),
    lambda x: F.binary_cross_entropy(x.sigmoid(), torch.full((2, 3), 0.3, dtype=D)),
    lambda x: torch.linalg.solve(x.T @ x + SPD, x.T).sum(),
    lambda x: torch.linalg.qr(x.T @ x + SPD)[1].sum(),
    lambda x: torch.cholesky_solve(x.T, torch.linalg.cholesky(x.T @ x + SPD)).sum(),
    lambda x: torch.linalg.slogdet(x.T @ x + SPD)[1],
]


@pytest.mark.parametrize("f", TWICE)
def test_second_derivatives_agree_in_every_order(f):
    expected = torch.autograd.functional.hessian(f, X).numpy()
    modes = (func.jacfwd, func.jacrev)
    for outer in modes:
        for inner in modes:
            same(outer(inner(f))(X), expected, 1e-9)


MADE = {  # ops whose derivative is 1: the result has a tangent of its own
    "x + 1": lambda x: x + 1,
    "x - c": lambda x: x - torch.ones(2, 3, dtype=D),
    "expanded": lambda x: x[0, :1] + torch.ones(2, 3, dtype=D),
    "where": lambda x: torch.where(torch.ones(2, 3).bool(), x, 0.0),
    "clone": torch.clone,
    "clamp": lambda x: x.clamp(-9, 9),
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_write_leaves_the_tangents_of_operands_alone(made):
    def f(x):
        y = made(x)
        y.mul_(2)
        y[0] = 5.0
        return (y * x * x).sum()

    same(func.jvp(f, (X,), (T,))[1], (func.grad(f)(X) * T).sum())
    same(func.jacfwd(func.jacrev(f))(X), torch.autograd.functional.hessian(f, X))


def test_a_tangent_that_numpy_would_drop_is_refused():
    with fw.dual_level(), pytest.raises(NotImplementedError, match=r"forward AD with numpy\.sort"):
        np.sort(fw.make_dual(X, T).array)


def test_the_tangents_of_a_level_that_has_ended_are_not_seen():
    with fw.dual_level():
        x = fw.make_dual(torch.ones(2), torch.full((2,), 2.0))
        assert repr(x) == "tensor([1., 1.], tangent=tensor([2., 2.]))"
        assert repr(x.sum()) == "tensor(2., tangent=4.0)"
        for plain in (x.detach(), x.data):
            assert repr(plain) == "tensor([1., 1.])" and plain.numpy().sum() == 2
    with fw.dual_level():
        for y, total in ((x, 2), (x * 3, 6), (x.clone(), 2)):
            assert "tangent" not in repr(y) and y.numpy().sum() == total
        primal, tangent = fw.unpack_dual(fw.make_dual(x, torch.ones(2)) * x)
        assert repr(primal) == "tensor([1., 1.])" and repr(tangent) == "tensor([1., 1.])"


def test_a_tangent_is_printed_as_the_last_of_the_suffixes():
    with fw.dual_level():
        x = fw.make_dual(torch.ones(5, requires_grad=True), torch.ones(5)) * 2
        text = "tensor([2., 2., 2., 2., 2.], grad_fn=<MulBackward0>,\n       tangent=tensor([2., "
        assert repr(x).startswith(text)
