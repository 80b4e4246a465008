"""Gradients of complex numbers: PyTorch's convention, random programs, optimizers by parts.

The gradient of a real loss L at z = x + iy is dL/dx + i dL/dy. Here it is compared with finite
differences of both parts, on programs made at random, by code that shares nothing with gradcheck.
"""

import random

import numpy as np
import pytest

import microtorch as torch
from microtorch.engine.textbook import run as textbook

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")


def test_the_convention():
    z = torch.tensor([3 + 4j, 1 - 2j], requires_grad=True)
    (z * z).real.sum().backward()  # holomorphic: conj(f'(z))
    assert z.grad.tolist() == [6 - 8j, 2 + 4j]
    z.grad = None
    z.abs().sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), z.detach().sgn().numpy())
    z.grad = None
    z.imag.sum().backward()
    assert z.grad.tolist() == [1j, 1j]
    z.grad = None
    (z * 2).backward(torch.tensor([1 + 1j, 2j]))
    assert z.grad.tolist() == [2 + 2j, 4j]


def test_backward_of_a_complex_number_is_refused():
    z = torch.tensor([1 + 2j], requires_grad=True)
    words = "grad can be implicitly created only for real scalar outputs but got torch.complex64"
    for ask in (lambda: (z * z).backward(), lambda: torch.autograd.grad(z * 2, z)):
        with pytest.raises(RuntimeError, match=words):
            ask()
    with pytest.raises(RuntimeError, match="required to have the same dtype"):
        (z * z).backward(torch.ones(1))
    with pytest.raises(RuntimeError, match="floating point and complex dtype"):
        torch.tensor([1], requires_grad=True)


def test_a_real_operand_gets_the_real_part():
    x = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    z = torch.tensor([1 + 1j], dtype=torch.complex128, requires_grad=True)
    (x * z * z).imag.backward()  # 2x Re z Im z = 2x
    assert x.grad.tolist() == [2] and x.grad.dtype is torch.float64
    (first,) = torch.autograd.grad((x * z).abs().sum(), x, create_graph=True)
    assert first.dtype is torch.float64


def test_custom_functions():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z * z

        @staticmethod
        def backward(ctx, g):
            (z,) = ctx.saved_tensors
            return g * (2 * z).conj()

    z = torch.tensor([1 + 2j], dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(Square.apply, z)

    class Rotate(torch.autograd.Function):  # of a real number: the gradient's real part counts
        @staticmethod
        def forward(ctx, x):
            return x * 1j

        @staticmethod
        def backward(ctx, g):
            return g * -1j

    x = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Rotate.apply, x)


def test_hooks_and_retained_gradients():
    z = torch.tensor([1 + 2j], requires_grad=True)
    y = z * 1j
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    y.abs().sum().backward()
    assert y.grad.dtype is torch.complex64
    np.testing.assert_allclose(z.grad.numpy(), 2 * np.array([1 + 2j]) / 5**0.5, 1e-6)


def test_gradcheck_finds_a_missing_conjugate():
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z * z

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    z = torch.tensor([1 + 2j], dtype=torch.complex128, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"output0\[0\]\.(real|imag) / d input0\[0\]\.(real|im)"):
        torch.autograd.gradcheck(Wrong.apply, z)


# ---- programs made at random ---------------------------------------------------------------------
ONE = {
    "exp": lambda x: (x * 0.3).exp(), "sin": torch.sin, "tanh": lambda x: (x * 0.3).tanh(),
    "square": torch.square, "conj": torch.conj, "abs": lambda x: (x + 0.1j).abs(),
    "cumsum": lambda x: x.cumsum(-1), "flip": lambda x: x.flip(0), "half": lambda x: x[..., :2],
    "mean": lambda x: x - x.mean(), "real": torch.real, "turned": lambda x: x * (0.6 - 0.8j),
    "power": lambda x: x**3, "angle": lambda x: torch.angle(x + 3), "adjoint": lambda x: x.mH.mH,
    "norm": lambda x: x.norm() * 1, "var": lambda x: x.var(-1),
    "pairs": lambda x: x.repeat(2, 1)[1:], "prod": lambda x: x.prod(-1),
    "root": lambda x: (x * x + 4).sqrt(), "sgn": lambda x: (x + 2j).sgn(),
}  # fmt: skip
TWO = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul,
    "div": lambda x, y: x / (y * y.conj() + 2),
    "where": lambda x, y: torch.where(torch.real(x) > 0, x, y),
    "product": lambda x, y: x.reshape(1, -1).to(torch.complex128)
    @ y.reshape(-1, 1).to(torch.complex128)[: x.numel()]
    if x.numel() <= y.numel()
    else x + y.reshape(-1)[0],
    "in place": lambda x, y: (x * (1 + 0j)).mul_(y.reshape(-1)[0]),
    "real part": lambda x, y: written(x, y),
}  # fmt: skip


def written(x, y):
    z = x * (1 + 0j)
    z.real.copy_(torch.real(y).reshape(-1)[0])
    return z


def program(seed):
    """A real function of three tensors, and the tensors."""
    choose, rng = random.Random(seed), np.random.default_rng(seed)
    leaves = []
    for shape in ((2, 3), (2, 3), (3,)):
        array = rng.standard_normal(shape)
        leaves.append(array + 1j * rng.standard_normal(shape) if choose.random() < 0.7 else array)
    steps = []
    for _ in range(choose.randint(2, 6)):
        names = ONE if choose.random() < 0.6 else TWO
        steps.append((names, choose.choice(sorted(names)), choose.random(), choose.random()))

    def f(*xs):
        values = list(xs)
        for names, name, i, j in steps:
            operands = [values[int(k * len(values))] for k in (i, j)[: 1 if names is ONE else 2]]
            try:
                values.append(names[name](*operands))
            except RuntimeError:  # shapes that do not fit
                continue
        total = 0
        for v in values[len(xs) :]:
            total = total + (torch.real(v) * 0.7).sum()
            if v.is_complex():
                total = total + (v.imag * v.imag).sum() * 0.1
        return total

    return f, leaves


def numeric(f, leaves, i, h=1e-6):
    out = np.zeros_like(leaves[i])
    for place in np.ndindex(out.shape):
        for unit in (1, 1j) if out.dtype.kind == "c" else (1,):
            ends = []
            for sign in (1, -1):
                moved = [a.copy() for a in leaves]
                moved[i][place] += sign * h * unit
                ends.append(f(*map(torch.tensor, moved)).item())
            out[place] += unit * (ends[0] - ends[1]) / (2 * h)
    return out


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    f, leaves = program(seed)
    xs = [torch.tensor(a, requires_grad=True) for a in leaves]
    loss = f(*xs)
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return
    grads = torch.autograd.grad(loss, xs, allow_unused=True, retain_graph=True)
    by_book = textbook(loss.node, np.ones((), np.float64))
    recorded = torch.autograd.grad(loss, xs, allow_unused=True, create_graph=True)
    for i, (x, g, again) in enumerate(zip(xs, grads, recorded, strict=True)):
        expected = numeric(f, leaves, i)
        if g is None:
            assert not expected.any()
            continue
        assert g.dtype is x.dtype
        scale = 1 + np.abs(expected).max()
        np.testing.assert_allclose(g.numpy(), expected, rtol=1e-5, atol=1e-6 * scale)
        np.testing.assert_allclose(again.detach().numpy(), g.numpy(), 1e-10, 1e-10)
        np.testing.assert_allclose(by_book[x.node], g.numpy(), 1e-10, 1e-10)


# ---- modules and optimizers ----------------------------------------------------------------------
OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9}, "Adam": {"amsgrad": True}, "AdamW": {}, "Adagrad": {},
    "RMSprop": {"momentum": 0.5}, "Adadelta": {}, "NAdam": {}, "RAdam": {}, "Adamax": {},
    "Rprop": {}, "ASGD": {}, "LBFGS": {},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_take_the_parts_as_two_numbers(name):
    start = np.array([1 + 2j, 3 - 1j, 0.5j])
    z = torch.tensor(start, requires_grad=True)
    pairs = torch.view_as_real(torch.tensor(start)).clone().requires_grad_()
    for p, size in ((z, lambda: (z - 1j).abs()), (pairs, lambda: distance(pairs))):
        optimizer = getattr(torch.optim, name)([p], **OPTIMIZERS[name])

        def closure(optimizer=optimizer, size=size):
            optimizer.zero_grad()
            loss = (size() ** 2).sum()
            loss.backward()
            return loss

        for _ in range(4):
            optimizer.step(closure)
    moved = torch.view_as_real(z.detach()).numpy()
    np.testing.assert_allclose(moved, pairs.detach().numpy(), 1e-7, 1e-12)
    assert np.abs(z.detach().numpy() - start).max() > 1e-3


def distance(pairs):
    return ((pairs - torch.tensor([0.0, 1.0])) ** 2).sum(-1).sqrt()


@pytest.mark.filterwarnings("ignore:Complex modules")
def test_modules():
    layer = torch.nn.Linear(2, 3).to(torch.complex64)
    assert layer.weight.dtype is torch.complex64
    x = torch.randn(4, 2, dtype=torch.complex64)
    out = layer(x)
    expected = x.numpy() @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(out.detach().numpy(), expected, 1e-5)
    out.abs().sum().backward()
    assert layer.weight.grad.dtype is torch.complex64
    size = torch.nn.utils.clip_grad_norm_(layer.parameters(), 0.5)
    grads = [p.grad for p in layer.parameters()]
    assert size.dtype is torch.float32
    assert abs(sum((g.abs() ** 2).sum().item() for g in grads) ** 0.5 - 0.5) < 1e-4
