"""What a quick call of a compiled function must not overlook, and must leave as eager does."""

import threading

import numpy as np
import pytest
from microtorch.nn.modules import module as modules

import microtorch as torch
from microtorch import nn
from microtorch.static import build, quick
from microtorch.static.same import EQUAL, Rows

try:
    build.compiler()
except build.CompilerError:
    pytest.skip("needs a C compiler", allow_module_level=True)


def setting(**options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step, torch.compile(step, **options)


def data(n=5, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal((n, 3)).astype("f4"))


def test_a_step_is_called_quickly_and_fills_its_gradients_again():
    model, _, c = setting()
    for _ in range(6):
        c(data())
    reused = c.entry.reused
    p = model[0].weight
    first, memory = p.grad, p.grad.array
    c(data(seed=1))  # `first` is held: it must stay
    kept = first.numpy().copy()
    assert p.grad is not first and reused.remade == 2
    c(data(seed=2))
    assert np.array_equal(first.numpy(), kept)
    del first, memory
    again = id(p.grad.array)
    c(data(seed=3))
    assert id(p.grad.array) == again and reused.remade == 2
    assert c.quick is not None and c.entry.refreshed == 1


def keep_view(p):
    return p.grad[0]


def keep_array(p):
    return p.grad.numpy()


def write(p):
    p.grad.mul_(2)


def hook(p):
    p.grad.requires_grad_()
    return p.grad.register_hook(lambda g: None)


@pytest.mark.parametrize("use", [keep_view, keep_array, write, hook])
def test_gradients_that_somebody_has_touched_are_made_anew(use):
    model, _, c = setting()
    for _ in range(6):
        c(data())
    p = model[0].weight
    held = use(p)
    before = None if not isinstance(held, (torch.Tensor, np.ndarray)) else np.array(held)
    address = p.grad.array.ctypes.data
    c(data(seed=1))
    assert not p.grad.requires_grad and p.grad._version == 0
    if before is not None:
        assert np.array_equal(np.array(held), before) and p.grad.array.ctypes.data != address


def test_gradients_that_change_places_are_made_anew():
    torch.manual_seed(0)
    a, b = nn.Parameter(torch.randn(3)), nn.Parameter(torch.randn(3))

    def step(x):
        a.grad = b.grad = None
        (x * a).sum().backward()
        (x * x * b).sum().backward()

    c = torch.compile(step)
    x = data()[0]
    for i in range(9):
        c(x)
        assert torch.equal(a.grad, x) and torch.equal(b.grad, x * x)
        if i == 6:
            a.grad, b.grad = b.grad, a.grad
        if i == 7:
            a.requires_grad_(False)
            a.requires_grad_()
    assert c.entry.reused.numbers


def test_steps_equal_eager_whatever_happens_in_between():
    results = []
    for compiled in (False, True):
        model, step, c = setting()
        run, out, held = c if compiled else step, [], []
        for i in range(14):
            out.append(run(data(seed=i)).item())
            if i % 3 == 1:
                held.append(model[0].weight.grad)
            if i == 8:
                model[2].bias.grad = None
            if i == 10:
                with torch.no_grad():
                    model[0].weight.mul_(0.5)
        results.append((out, [g.tolist() for g in held], [p.tolist() for p in model.parameters()]))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(np.hstack([np.ravel(x) for x in a]),
                                   np.hstack([np.ravel(x) for x in b]), rtol=1e-4)  # fmt: skip


def test_guards_of_the_quick_call():
    model, _, c = setting()
    x = data()
    for _ in range(6):
        c(x)
    assert c.count == 1
    called = []
    handle = model[1].register_forward_hook(lambda *a: called.append(1))
    c(x)
    assert called
    handle.remove()
    for _ in range(6):
        c(x)
    everywhere = modules.register_module_forward_hook(lambda *a: called.append(2))
    c(x)
    everywhere.remove()
    c(x)
    assert 2 in called


def test_views_and_arguments_that_share_memory_have_quick_calls_or_none():
    f = lambda x, y: (x * y + 1).tanh()  # noqa: E731
    c = torch.compile(f)
    whole = data(12)
    for i in [0, 4, 0, 4, 8, 0, 4, 8]:
        x, y = whole[i : i + 4], data(4, seed=i)
        np.testing.assert_allclose(c(x, y).numpy(), f(x, y).numpy(), rtol=1e-5)
    assert c.quick is not None and c.entry.refreshed == 1
    assert c.quick(x[:2], y[:2]) is quick.MISSED and c.quick(x, y) is not quick.MISSED
    assert c.quick(x, whole[:4]) is quick.MISSED and c.quick(x, x.detach()) is quick.MISSED
    c = torch.compile(f)
    for _ in range(6):
        c(x, x.detach())
    assert c.count == 1 and c.quick is None


@pytest.mark.parametrize("change", [
    lambda x: x.double(), lambda x: x[:, [2, 0, 1]], lambda x: x.t().contiguous().t(),
    lambda x: x.clone().requires_grad_(), lambda x: torch.cat([x, x]), lambda x: nn.Parameter(x),
])  # fmt: skip
def test_arguments_of_the_quick_call(change):
    f = lambda x: (x * 2 + 1).sin()  # noqa: E731
    c = torch.compile(f)
    x = data()
    for _ in range(6):
        c(x)
    other = change(x)
    y, z = c(other), f(other)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-5)
    assert y.dtype == z.dtype and y.requires_grad == z.requires_grad
    assert y.array.strides == z.array.strides


def test_arguments_that_share_memory_with_each_other_or_a_weight():
    w = torch.ones(5, 3)

    def f(x, y):
        x += 1
        w.mul_(2)
        return x * y + w

    c = torch.compile(f)
    for _ in range(6):
        c(data(), data(seed=1))
    w.fill_(1.0)
    x = data()
    assert torch.equal(c(x, x), (data() + 1) * (data() + 1) + 2)
    w.fill_(1.0)
    y = data()
    got = c(w[:], y)
    assert torch.equal(got, 4 * y + 4)


def test_an_equal_number_is_looked_at_once_more_and_then_known():
    class Box:
        n = 1.5

    box = Box()
    box.n = 1.5
    f = torch.compile(lambda x: x * box.n + 1)
    x = data()
    for _ in range(6):
        f(x)
    before = f.entry.refreshed
    box.n = float("1.5")
    f(x), f(x)
    assert f.entry.refreshed == before + 1 and f.count == 1
    box.n = True
    assert torch.equal(f(x), x * 1 + 1)


def test_rows_see_every_kind_of_change():
    class Slotted:
        __slots__ = ("a",)

    values = {"a": object(), "b": [1.5, object()]}
    kinds = {1, 2}
    rows = Rows()
    rows.item(values, "a", values["a"])
    rows.item(values["b"], 1, values["b"][1])
    rows.item(vars(Slotted), "__slots__", Slotted.__slots__)
    rows.size(values, 2)
    rows.row(EQUAL, kinds, 0, {1, 2})
    same = rows.made()
    assert same()
    a, b = values["a"], values["b"]
    for change, back in [
        (lambda: values.update(a=1), lambda: values.update(a=a)),
        (lambda: values.update(c=1), lambda: values.pop("c")),
        (lambda: values.pop("a"), lambda: values.update(a=a)),
        (lambda: b.append(b.pop(0)), lambda: b.insert(0, b.pop())),
        (lambda: values.update(d=b.pop()), lambda: b.append(values.pop("d"))),
        (lambda: kinds.add(3), lambda: kinds.remove(3)),
    ]:
        change()
        assert not same()
        back()
        assert same()


def test_two_threads_each_get_their_own():
    f = lambda x: (x @ x.t()).tanh() @ x  # noqa: E731
    c = torch.compile(f)
    xs = [torch.tensor(np.random.default_rng(i).standard_normal((90, 90)).astype("f4") / 9)
          for i in range(2)]  # fmt: skip
    wanted = [f(x).numpy() for x in xs]
    for _ in range(6):
        c(xs[0])
    wrong = []

    def work(i):
        for _ in range(40):
            if not np.allclose(c(xs[i]).numpy(), wanted[i], atol=1e-5):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong and c.count == 1


def test_slices_get_their_gradients_in_one_copy():
    def f(x):
        a, b, c = (x * 2).split(3, dim=1)
        return (a * b.view(4, 3).t().reshape(4, 3) + c[:, :2].sum()).sum()

    c = torch.compile(f)
    x = torch.tensor(np.random.default_rng(0).standard_normal((4, 9)).astype("f4"))
    v, w = x.clone().requires_grad_(), x.clone().requires_grad_()
    for _ in range(6):
        v.grad = w.grad = None
        c(v).backward()
        f(w).backward()
        np.testing.assert_allclose(v.grad.numpy(), w.grad.numpy(), rtol=1e-5)
    text = c.c_source().split("int backward_0(")[1]
    assert text.count("[i0 * 9 + i1") == 4 and "0.0f;" not in text.split("v44")[-1]


def test_numbers_of_scalars_are_changed_in_place_only_where_nobody_has_them():
    from microtorch import Scalar

    p = [Scalar(0.1 * i) for i in range(5)]

    @torch.compile
    def step():
        loss = sum(((x * x + 1) for x in p), 0.0)
        loss.backward()
        for x in p:
            x.data -= 0.1 * x.grad
            x.grad = None
        return loss.data

    for _ in range(4):
        step()
    assert step.c_source() and step.entry.slots is not None
    held, values = [x.data for x in p], [x.data for x in p]
    versions = [x.storage.version for x in p]
    step()
    assert held == values and [x.storage.version for x in p] == [v + 1 for v in versions]
    np.testing.assert_allclose([x.data for x in p], [0.8 * v for v in values])
    handle = p[1].register_hook(lambda g: 0 * g)
    before = p[1].data
    with pytest.warns(UserWarning, match="hooks"):
        step()
    assert p[1].data == before != 0
    handle.remove()


def test_a_change_of_a_dict_is_seen_whatever_made_it():
    """Where a dict has a version, C asks for its rows only when that is another one."""
    lin = nn.Linear(2, 2)
    lin.scale, kept = 1.0, {"a": 1.0}

    def plain(x):
        return (lin(x) * lin.scale * kept["a"]).sum()

    def put(value):
        vars(lin)["scale"] = value

    f, x = torch.compile(plain), torch.ones(3, 2)
    with torch.no_grad():
        for change in (lambda: None, lambda: setattr(lin, "scale", 3.0), lambda: put(5.0),
                       lambda: kept.update(a=2.0), lambda: kept.update(b=4.0)):  # fmt: skip
            change()
            for _ in range(5):
                assert torch.allclose(f(x), plain(x))
    assert f.quick is not None
