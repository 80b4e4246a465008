"""Rounds of a loop of Python, as loops of C: equal to what they were, and few lines."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F
from microtorch.static import build

try:
    build.compiler()
except build.CompilerError:
    pytest.skip("no C compiler", allow_module_level=True)

STEPS, BATCH = 6, 5


@pytest.fixture(autouse=True)
def quickly_compiled(monkeypatch, own_cache):
    """What is tested is the text, not how fast it is."""
    monkeypatch.setattr(build, "FLAGS", ("-std=gnu99", "-O0", "-fPIC", "-shared", "-w"))


def layer(x, h, c, w, u, v, outs):
    return torch.tanh(w(x) + u(h)), c


def gated(x, h, c, w, u, v, outs):
    g = torch.sigmoid(w(x) + u(h))
    c = g * c + (1 - g) * torch.tanh(v(h))
    return g * torch.tanh(c), c


def listed(x, h, c, w, u, v, outs):
    outs.append(u(h).sum(1))
    return torch.tanh(w(x) + v(h)), c


def written(x, h, c, w, u, v, outs):
    h = w(x) + u(h)
    h.mul_(0.5)
    return h, c + h


CELLS = {"layer": layer, "gated": gated, "listed": listed, "written": written}


def results(cell, compiled, reverse=False):
    torch.manual_seed(0)
    layers = [nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 4)]
    x, y = torch.randn(BATCH, STEPS, 3), torch.randn(BATCH, 4)
    params = [p for m in layers for p in m.parameters()]
    optimizer = torch.optim.SGD(params, lr=0.05)

    def step(x, y):
        h, c, outs = torch.zeros(BATCH, 4), torch.zeros(BATCH, 4), []
        for t in reversed(range(STEPS)) if reverse else range(STEPS):
            h, c = cell(x[:, t], h, c, *layers, outs)
        loss = F.mse_loss(h + c, y) + sum(o.mean() for o in outs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    f = torch.compile(step) if compiled else step
    losses = [f(x, y).item() for _ in range(5)]
    return losses, [p.detach().numpy() for p in params], f


@pytest.mark.parametrize(
    ("name", "reverse"), [("layer", False), ("gated", True), ("listed", False), ("written", True)]
)
def test_steps_of_time_are_a_loop_and_equal(name, reverse):
    losses, params, _ = results(CELLS[name], False, reverse)
    others, found, f = results(CELLS[name], True, reverse)
    np.testing.assert_allclose(others, losses, rtol=1e-5)
    for a, b in zip(found, params, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    text = f.c_source()
    assert text.count("for (int step = ") >= 2  # forward and backward


def test_the_text_of_an_lstm_is_short():
    torch.manual_seed(0)
    model = nn.LSTM(3, 4)

    @torch.compile
    def step(x):
        model.zero_grad()
        loss = model(x)[0].square().mean()
        loss.backward()
        return loss

    x = torch.randn(12, 2, 3)
    for _ in range(4):
        loss = step(x)
    grads = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    again = model(x)[0].square().mean()
    again.backward()
    assert loss.item() == pytest.approx(again.item(), rel=1e-5)
    for p, g in zip(model.parameters(), grads, strict=True):
        torch.testing.assert_close(p.grad, g, rtol=1e-4, atol=1e-6)
    text = step.c_source()
    assert text.count("for (int step = ") >= 3 and len(text.splitlines()) < 720


def test_what_only_the_next_round_reads_has_two_rows():
    w = torch.tensor([[1.0, 2.0], [0.5, -1.0]], requires_grad=True)

    @torch.compile
    def step(x):
        y = x * w
        for _ in range(9):
            y = y * 0.5 + w
        w.grad = None
        y.sum().backward()
        return y

    def plain(x):
        y = x * w
        for _ in range(9):
            y = y * 0.5 + w
        w.grad = None
        y.sum().backward()
        return y

    x = torch.tensor([[3.0, 1.0], [2.0, 5.0]])
    for _ in range(4):
        y = step(x)
    g = w.grad.clone()
    assert torch.equal(plain(x), y)
    torch.testing.assert_close(w.grad, g)
    text = step.c_source()
    assert "[2 * 4]" in text and "(step + 1) % 2" in text


@pytest.mark.parametrize(("width", "strange"), [(2, False), (10, True), (18, False)])
def test_poolings_by_halves_and_relu_behind_them(width, strange):
    rng = np.random.default_rng(width)
    values = rng.integers(-2, 3, (3, 2, width, width)).astype("f4")  # many are equal
    if strange:
        values[rng.random(values.shape) < 0.2] = np.nan
    g = torch.tensor(rng.standard_normal((3, 2, width // 2, width // 2)).astype("f4"))

    def f(x, g):
        y = F.max_pool2d(torch.relu(x * 2), 2)
        (y * g).sum().backward()
        return y

    compiled, given = torch.compile(f), torch.tensor
    for _ in range(4):
        a, b = (given(values, requires_grad=True) for _ in range(2))
        np.testing.assert_array_equal(compiled(a, g).detach().numpy(), f(b, g).detach().numpy())
        np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())
    assert "halved_vjp0" in compiled.c_source()
