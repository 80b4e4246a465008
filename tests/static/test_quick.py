"""What a quick call of a compiled function must not overlook, and must leave as eager does."""

import _thread
import sys
import threading
import time

import numpy as np
import pytest
from microtorch.nn.modules import module as modules

import microtorch as torch
from microtorch import nn
from microtorch.static import build, quick
from microtorch.static.same import Rows

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


@pytest.mark.parametrize(("shape", "other"), [
    ((), (3,)), ((3,), (3, 1)), ((3,), (3, 2)), ((2, 2), (2, 2, 1)), ((3, 1), (3,)),
])  # fmt: skip
def test_an_argument_of_more_dimensions_is_another(shape, other):
    c = torch.compile(lambda x: x * 2 + 1)
    for _ in range(6):
        c(torch.ones(shape))
    assert c(torch.ones(other)).shape == other


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
    rows.order(kinds, (1, 2))
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
    versions = [1000, 2**30 - 3, 2**30 - 1, 2**60 - 1, 7]  # some with a carry
    for x, v in zip(p, versions, strict=True):
        x.storage.version = int(str(v))
    for i in range(1, 4):
        step()
        assert [x.storage.version for x in p] == [v + i for v in versions]
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


# ---- calls by C alone ----------------------------------------------------------------------------
def by_c_alone(c):
    """From here on, a call that Python makes is an error; returns what puts it back."""
    state = c.quick.__self__
    python = state[2]

    def never(*given):
        raise AssertionError("Python was called")

    state[2] = never
    return lambda: state.__setitem__(2, python)


def prepared(f, *given):
    c = torch.compile(f)
    for _ in range(6):
        c(*given)
    return c


def test_a_call_by_c_leaves_what_a_call_in_python_leaves():
    model, _, c = setting()
    for _ in range(6):
        last = c(data())
    p, before = model[0].weight, model[0].weight._version
    by_c_alone(c)
    for i in range(3):
        loss = c(data(seed=i))
        assert p._version == before + i + 1 and p.node.storage.writer == quick.WRITER
        assert p.node.storage.written < loss.node.seq > last.node.seq and loss.requires_grad
        assert loss.node.code is sys._getframe().f_code and loss.node.scope is None
        last = loss
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_the_line_that_calls_is_known_wherever_it_is():
    _, _, c = setting()
    for _ in range(6):
        c(data())
    one, other = lambda: c(data()), lambda: c(data())
    for f in (one, other, one, one, other):
        assert f().node.code is f.__code__


def test_a_thread_may_begin_with_the_call():
    """No line of the user's calls then."""
    model, _, c = setting()
    for _ in range(6):
        c(data())
    before, failed = model[0].weight._version, []
    hook, sys.unraisablehook = sys.unraisablehook, failed.append
    try:
        _thread.start_new_thread(c, (data(),))
        until = time.monotonic() + 20
        while model[0].weight._version == before and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)  # the call ends
    finally:
        sys.unraisablehook = hook
    assert model[0].weight._version == before + 1 and not failed


def test_a_result_is_used_again_only_if_nobody_has_a_part_of_it():
    c = prepared(lambda x: (x * 2 + 1).sin(), data())
    wanted = [2 * data(seed=i).numpy() + 1 for i in range(8)]
    held = [
        keep(c(data(seed=i))) for i, keep in enumerate(
            [lambda y: y, lambda y: y.numpy(), lambda y: y.array, lambda y: y.detach(),
             lambda y: y[1:], lambda y: y.node, lambda y: y.T, lambda y: memoryview(y.numpy())]
        )
    ]  # fmt: skip
    by_c_alone(c)
    for i in range(5):
        c(data(seed=20 + i))
    for i, y in enumerate(held):
        y = getattr(y, "value", y)
        y = np.asarray(y.array if isinstance(y, torch.Tensor) else y)
        whole = np.sin(wanted[i])[1:] if i == 4 else np.sin(wanted[i])
        np.testing.assert_allclose(y.T if i == 6 else y, whole, rtol=1e-5)
    first = c(data())
    first.mul_(0)
    first.mine = 1
    del first
    for i in range(4):
        again = c(data(seed=i))
        assert again._version == 0 and not hasattr(again, "mine")
        np.testing.assert_allclose(again.numpy(), np.sin(wanted[i]), rtol=1e-5)


def test_calls_by_c_lose_no_references():
    model, _, c = setting()
    for _ in range(6):
        c(data())
    by_c_alone(c)
    x, code = data(), sys._getframe().f_code
    dev, p = model[0].weight.node.dev, model[0].weight
    watched = [None, x, x.array, code, dev, p, p.node, p.array, c.quick, (), quick.WRITER]
    c(x), c(x)
    before = [sys.getrefcount(w) for w in watched]
    for _ in range(500):
        c(x)
    after = [sys.getrefcount(w) for w in watched]
    assert max(abs(a - b) for a, b in zip(after, before, strict=True)) < 20


def test_what_is_not_plain_is_left_to_python():
    """An index out of range, a rate that is no float, a call from elsewhere, other numbers of
    arguments."""
    torch.manual_seed(0)
    model = nn.Linear(3, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = data(), torch.tensor([0, 1, 2, 3, 0])
    c = prepared(step, x, y)
    before = model.weight.detach().clone()
    for _ in range(2):
        with pytest.raises(IndexError):
            c(x, torch.tensor([0, 1, 2, 4, 0]))
        assert torch.equal(model.weight, before)
    with pytest.raises(TypeError):
        c(x)
    optimizer.param_groups[0]["lr"] = 0
    c(x, y)
    assert torch.equal(model.weight, before)
    with torch.no_grad():
        model.bias.add_(1)
    optimizer.param_groups[0]["lr"] = 0.5
    state = {k: v.clone() for k, v in model.state_dict().items()}
    got = c(x, y), model.weight.detach().clone()
    model.load_state_dict(state)
    wanted = step(x, y), model.weight.detach()
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5)


def test_calls_that_the_quick_one_does_not_take():
    """Keywords, too many arguments, an error in the middle, a copy, and what has no program yet."""
    c = prepared(lambda x, scale=2.0: (x * scale).sum(), data())
    plain, back = data().numpy().sum(), by_c_alone(c)
    assert np.isclose(c(data()), 2 * plain, rtol=1e-5)
    back()
    for _ in range(5):
        assert np.isclose(c(data(), scale=3.0), 3 * plain, rtol=1e-5)
        assert np.isclose(c(x=data()), 2 * plain, rtol=1e-5)
        assert np.isclose(c(data(), 4.0), 4 * plain, rtol=1e-5)
    for given, named in (((), {}), ((data(), 1.0, 2), {}), ((data(),), {"other": 1}),
                         (("no tensor",), {})):  # fmt: skip
        with pytest.raises(TypeError):
            c(*given, **named)
    other = torch.compile(c.function)
    assert [np.isclose(other(data()), 2 * plain, rtol=1e-5) for _ in range(5)] == [True] * 5
    with pytest.raises(TypeError, match="Compiled"):
        type(c).__call__(3, data())


def test_a_step_that_returns_nothing():
    p = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([p], lr=0.25)

    def step(x):
        optimizer.zero_grad()
        (p * x).sum().backward()
        optimizer.step()

    c = prepared(step, torch.ones(3))
    by_c_alone(c)
    before = p.detach().clone()
    assert c(torch.ones(3)) is None and torch.equal(p, before - 0.25)


def test_each_call_of_several_threads_counts_once():
    model, _, c = setting()
    for _ in range(6):
        c(data())
    before, n = model[0].weight._version, 200
    threads = [threading.Thread(target=lambda: [c(data()) for _ in range(n)]) for _ in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert model[0].weight._version == before + 3 * n
