"""numpy's warnings stay inside, also where the user's filter makes errors of them."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from repository import python

import microtorch as torch
from microtorch.notation import formulas
from microtorch.ops.elementwise import ELEMENTWISE

inf, nan = float("inf"), float("nan")
EDGES = [0.0, -0.0, -1.0, 1.0, inf, -inf, nan, 6e4, -6e4, 1e-30, 200.0]
DTYPES = (torch.float32, torch.float64, torch.float16)
NAMES = [
    name for name, (_, vjps) in formulas.TABLE.items()
    if name in ELEMENTWISE and None not in (*vjps, *formulas.ARGUMENTS.get(name, {}).values())
]  # fmt: skip


@contextmanager
def filtered(action):
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        yield


def outcome(f, x, n):
    """What ``f`` of ``n`` operands gives for pairs of extreme numbers, and its gradients."""
    operands = [v.reshape(-1).requires_grad_() for v in torch.meshgrid(*[x] * n, indexing="ij")]
    out = f(*[v.clone() for v in operands])
    loss = out if out.dtype.is_floating_point else out.double()
    if loss.requires_grad:
        loss.sum().backward()
    return [t.detach().numpy() for t in (out, *[v.grad for v in operands]) if t is not None]


def agree(f, dtype, n=1):
    x = torch.tensor(EDGES, dtype=dtype)  # before: what makes a tensor puts our filter first again
    with filtered("ignore"):
        expected = outcome(f, x, n)
    with filtered("error"):
        found = outcome(f, x, n)
    assert len(expected) == len(found)
    for e, a in zip(expected, found, strict=True):
        np.testing.assert_array_equal(e, a)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_elementwise_ops(name, dtype):
    agree(ELEMENTWISE[name], dtype, min(len(formulas.TABLE[name][1]), 3))


OTHERS = {
    "sum": (lambda x: x.sum(), 1), "mean": (lambda x: x.mean(0), 1), "prod": (torch.prod, 1),
    "var": (torch.var, 1), "norm": (torch.norm, 1), "cumsum": (lambda x: x.cumsum(0), 1),
    "softmax": (lambda x: x.softmax(0), 1), "logsumexp": (lambda x: x.logsumexp(0), 1),
    "matmul": (lambda x, y: x[:, None] @ y[None], 2), "dot": (torch.dot, 2),
    "linear": (lambda x, y: torch.nn.functional.linear(x[:, None], y[:1, None]), 2),
    "half": (lambda x: x.half(), 1), "int8": (lambda x: x.to(torch.int8), 1),
    "compare": (lambda x, y: (x < y) | (x >= y), 2), "0-d": (lambda x: x[4] - x[4] * x[0], 1),
    "used twice": (lambda x: x * x * x, 1), "slices": (lambda x: x[1:] / x[:-1] + x[1:], 1),
    "by a number": (lambda x: 1 / x + x * 1e300 - 2**x, 1),
    "mse": (torch.nn.functional.mse_loss, 2), "gelu": (torch.nn.functional.gelu, 1),
    "in place": (lambda x, y: x.mul_(y).sub_(y).div_(y).exp_(), 2),
    "add_ scaled": (lambda x, y: x.add_(y, alpha=3.0), 2),
    "written": (lambda x, y: x.detach().mul_(y.detach()).xlogy_(y.detach()), 2),
    "quantile": (lambda x: x.quantile(0.5) if x.dtype != torch.float16 else x, 1),
    "topk": (lambda x: x.repeat(200).topk(3)[0], 1),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", OTHERS)
def test_other_ops(name, dtype):
    agree(OTHERS[name][0], dtype, OTHERS[name][1])


def test_gradients_add_up():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    big = torch.tensor([3e38, 1.0])
    with filtered("error"):
        (x * big).sum().backward()
        (x * big).sum().backward()  # into the leaf
        assert x.grad.tolist() == [inf, 2]
        x.grad = None
        y = x.clone()
        (y * big + y * big).sum().backward()  # on the way
        assert x.grad.tolist() == [inf, 2]
        (g,) = torch.autograd.grad((x * 0).log().sum(), x, create_graph=True)
        assert g.isnan().all()


def test_a_backward_of_the_users_own_raises_and_runs_once():
    calls = []

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            calls.append(1)
            np.float32(1) / np.float32(0)
            return g

    x = torch.ones(2, requires_grad=True)
    with filtered("error"), pytest.raises(RuntimeWarning):
        Own.apply(x).sum().backward()
    assert calls == [1] and x.grad is None


MADE = {
    "zeros": lambda: torch.zeros(2), "tensor": lambda: torch.tensor([0.0]),
    "arange": lambda: torch.arange(2.0), "like": lambda: torch.zeros_like(torch.tensor(0.0)),
    "rand": lambda: torch.rand(2) * 0,
    "int": lambda: torch.tensor([0]),
}  # fmt: skip


@pytest.mark.parametrize("action", ["always", "default", "error"])
@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_nothing_is_heard_of_a_tensor_that_is_made_later(make, action):
    with warnings.catch_warnings(record=True) as heard:
        for begin in (lambda: None, warnings.resetwarnings):
            begin()
            warnings.simplefilter(action)
            x = make()
            _ = x.log(), 1 / x, x / x, x.double() / 0, (x * 1e300).float(), x.float().norm()
            x = x.float().requires_grad_()
            (x.log() * x.reciprocal()).sum().backward()
        assert not [w for w in heard if w.category is RuntimeWarning]
        if action != "error":
            np.log(np.zeros(1))
            assert heard[-1].category is RuntimeWarning  # the user's own


def test_the_filter_survives_an_import_where_filters_are_put_back():
    program = """
import warnings
with warnings.catch_warnings():
    import microtorch as torch
warnings.simplefilter("always")
print(torch.zeros(1).log().item(), torch.tensor([0.0]).reciprocal().item())
"""
    assert python("-c", program).split() == ["-inf", "inf"]


def test_numpys_own_state_is_left_alone():
    before = np.geterr()
    with filtered("error"):
        torch.tensor([0.0]).log()
        with pytest.raises(RuntimeWarning):
            np.log(np.zeros(1))
    assert np.geterr() == before
