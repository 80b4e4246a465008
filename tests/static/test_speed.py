"""What makes compiled steps fast changes no number: what is left out, made again, or turned."""

import re

import numpy as np
import pytest

import microtorch as torch
from benchmarks import static
from microtorch.backends import core
from microtorch.nn import functional as F
from microtorch.static import build, loops

try:
    build.compiler()
except build.CompilerError:
    pytest.skip("no C compiler", allow_module_level=True)


def t(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape).astype("f4"))


def near(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-3)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def images(kind):
    x = t(3, 2, 8, 6)
    if kind == "infinite":
        x[1, 0, 2, 3] = float("inf")
    elif kind == "ties":
        x = x.round()
    elif kind == "nan":
        x[2, 1, 0, 0] = float("nan")
    return x


@pytest.mark.parametrize("kind", ["plain", "ties", "infinite", "nan"])
def test_images_that_are_pooled(one_thread, kind):
    """Relu is made again by the pooling and its gradient, and the convolution's gradient takes one
    number of each window; but all where 0 times a number is NaN."""
    x, k, bias = images(kind), t(4, 2, 3, 3, seed=1), t(4, seed=2)

    def f(x, k=k, bias=bias):
        k.grad = bias.grad = None
        y = F.max_pool2d(torch.relu(F.conv2d(x, k, bias, padding=1)), 2)
        y.square().sum().backward()
        return y

    for a in (k, bias):
        a.requires_grad_()
    c = torch.compile(f)
    found = []
    for function in (c, c, c, c, f):
        found.append([function(x), k.grad, bias.grad])
    assert "conv2d_vjp1_of_fewf(3, 2, 8, 6, 4, 3, 3, 1, 1, 8, 6, " in c.c_source()
    assert c.c_source().count("maximumf(v") == 0  # there is no array of what relu made
    for a, b in zip(*found[-2:], strict=True):
        near(a, b)


def test_what_relu_made_is_kept_for_others():
    x, k = t(2, 1, 6, 6), t(3, 1, 3, 3, seed=1).requires_grad_()

    def f(x):
        k.grad = None
        y = torch.relu(F.conv2d(x, k))
        (F.max_pool2d(y, 2).sum() + (y * y).sum()).backward()
        return y

    c = torch.compile(f)
    found = [[function(x), k.grad] for function in (c, c, c, c, f)]
    for a, b in zip(*found[-2:], strict=True):
        near(a, b)


def test_large_products_in_one_thread(one_thread):
    """The weight is read as it lies; with more threads it is a product of the core's."""
    x, w, bias, v = t(17, 90), t(400, 90, seed=1), t(400, seed=2), t(3, 400, seed=3)

    def f(x):
        return F.linear(torch.relu(F.linear(x, w, bias)), v)

    c = torch.compile(f)
    for _ in range(4):
        found = c(x)
    assert "productf(400, 17, 90, v1, 90, 1, rows, 17" in c.c_source()
    near(found, f(x))
    torch.set_num_threads(2)
    if core.get_num_threads() == 2:
        again = torch.compile(f)
        for _ in range(4):
            again(x)
        assert "productf(400, 17" not in again.c_source()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("name", "most"), [("moons", 250), ("lenet", 600)])
def test_the_text_is_short(monkeypatch, one_thread, name, most, threads):
    monkeypatch.setattr(loops, "library", lambda text, names: [lambda *given: 1 for _ in names])
    torch.set_num_threads(threads)
    made = []
    step = getattr(static, name)(torch, lambda f: made.append(torch.compile(f)) or made[0])
    for _ in range(3):
        step()
    assert 100 < made[0].c_source().count("\n") <= most


SGD = dict(lr=0.01)
UPDATED = {  # settings of the first weight and of the second; is the update made with the gradient?
    "plain": (SGD, SGD, (True, True)), "two rates": (SGD, dict(lr=0.02), (True, True)),
    "decay": (SGD, SGD | dict(weight_decay=0.1), (True, False)),
    "maximize": (SGD | dict(maximize=True), SGD, (False, True)),
    "momentum": (SGD | dict(momentum=0.9), SGD, (False, True)),
    "clipped": (SGD, SGD, (False, False)), "read": (SGD, SGD, (False, True)),
    "own": (SGD, SGD, (False, True)),
    "seen": (SGD, SGD, (True, False)), "changed": (SGD, SGD, (False, True)),
    **dict.fromkeys(["all", "infinite", "apart", "turned"], (SGD, SGD, (True, True))),
}  # fmt: skip


@pytest.mark.parametrize("case", UPDATED)
def test_weights_are_updated_where_their_gradient_is_made(one_thread, case):
    """But if something else reads or changes one of the two between backward and the step; the
    gradient is what it was. Columns fill blocks of 112 or not, and lie as they did or are laid out;
    all of a gradient counts, or half of it."""
    *settings, at_once = UPDATED[case]
    start, bias = t(20, 224), torch.full((300,), 20.0 if case == "all" else 0.0)
    if case == "infinite":
        start[3, 5], bias = float("inf"), torch.full((300,), -1e3)
    if case == "apart":  # from where no line of the cache begins
        start = t(20 * 224 + 1)[1:].view(20, 224)
    if case == "turned":
        start = t(224, 20).T

    def trained(compiled):
        v, w = t(300, 224, seed=1).requires_grad_(), t(150, 300, seed=2).requires_grad_()
        seen = w.detach().T
        groups = [dict(params=[p], **s) for p, s in zip((v, w), settings, strict=True)]
        optimizer = torch.optim.SGD(groups)

        def step(x):
            x = v.detach()[40:60] if case == "own" else x
            h = torch.relu(F.linear(x, v, bias))
            loss = torch.relu(F.linear(h, w)).mean()
            optimizer.zero_grad()
            loss.backward()
            if case == "clipped":
                torch.nn.utils.clip_grad_norm_([v, w], 1e-3)
            looks = {"read": lambda: v.detach().square().sum(), "seen": lambda: seen.sum(0)}
            found = looks.get(case, lambda: loss * 1)()
            if case == "changed":
                v.grad.mul_(2)
            optimizer.step()
            return loss, found

        f = torch.compile(step) if compiled else step
        found = [y for _ in range(5) for y in f(start)]
        if compiled:
            calls = re.findall(r"_of_fewf\((300|150), [^;]* rows, ([^;]*)\);", f.c_source())
            made = {n: "lr" in update for n, update in calls}
            assert (made["300"], made["150"]) == at_once
        return [*found, v, w, v.grad, w.grad]

    for a, b in zip(trained(False), trained(True), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_of_few_rows_each_is_several_sums():
    """Products of one to five rows, with a bias and without one."""
    w, bias = t(45, 20, seed=9), t(20)

    def f(*xs):
        return [*[x @ w for x in xs], F.linear(xs[0][:, :42], w.T[:, :42], bias)]

    xs = [t(n, 45, seed=n) for n in (1, 2, 5)]
    c = torch.compile(f)
    for _ in range(4):
        found = c(*xs)
    for a, b in zip(found, f(*xs), strict=True):
        near(a, b)
