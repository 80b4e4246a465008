"""A compiled function equals the function, to the bit: values, gradients, state, random numbers."""

import copy
import dataclasses
import itertools
import warnings

import numpy as np
import pytest
from both_ways import XS, both, exact, net, plain, same, t

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F


# ---- functions -----------------------------------------------------------------------------------
def test_a_chain_and_its_text():
    c = plain(lambda x: (x * 2 + 1).tanh().sum(), *XS)
    text = str(c.graph)
    assert "tanh(" in text and "float32 [3, 4]" in text and "test_compile.py:" in text
    assert [n.name for n in c.graph.nodes] == ["x", "mul", "add", "tanh", "sum", "output"]
    assert c.code.startswith("def program(v0):")


def test_outputs_stay_over_calls_and_keep_their_structure():
    c = torch.compile(lambda x: {"a": (x + 1, [x * 2, 3]), "b": None})
    results = [c(*x) for x in XS]
    for (x,), r in zip(XS, results, strict=True):
        assert torch.equal(r["a"][0], x + 1) and torch.equal(r["a"][1][0], x * 2)
        assert r["a"][1][1] == 3 and r["b"] is None
    assert c.count == 1


def test_the_same_tensor_twice_and_then_two():
    pairs = [(x[0], x[0]) for x in XS[:4]]
    pairs += [(a[0], b[0]) for a, b in itertools.pairwise(XS)]
    plain(lambda a, b: a * b, *pairs, programs=2)


KNOWN = [1]


@pytest.mark.parametrize("f", [
    lambda x, d: (x * 2, KNOWN),
    lambda x, d: {"y": x * 2, "d": d["d"]},
    lambda x, d: (lambda y: (y, y))([x * 2]),
])  # fmt: skip
def test_a_list_that_others_have_is_no_copy(f):
    c, others = exact(f), {"d": {}}
    with pytest.warns(UserWarning, match="that others have, too"):
        for (x,) in XS:
            found, want = ([*y.values()] if type(y) is dict else y
                           for y in (c(x, others), f(x, others)))  # fmt: skip
            assert (found[0] is found[1]) is (want[0] is want[1])
            assert (found[1] is want[1]) is (want[1] is not want[0])


def test_shapes_dtypes_layouts_and_python_arguments_are_guarded():
    xs = [x[0] for x in XS]
    calls = [(x,) for x in xs] + [(x.t(),) for x in xs] + [(x.double(),) for x in xs]
    plain(lambda x: x * 2 + 1, *calls, programs=3)
    calls = [(x, n) for n in (2.0, 3, True) for x in xs]
    plain(lambda x, n: x * n, *calls, programs=3)


FACTOR = 2.0


def test_globals_closures_attributes_and_lists_are_guarded():
    class Box:
        n = 1.0

    box, numbers, k = Box(), [1.0, 2.0], 5.0

    def f(x):
        return x * FACTOR + box.n + numbers[1] + Box.n * k

    def calls():
        nonlocal k
        global FACTOR
        for change in range(6):
            yield from XS[:4]
            if change == 0:
                FACTOR = 3.0
            elif change == 1:
                box.n = 7.0
            elif change == 2:
                numbers[1] = -1.0
            elif change == 3:
                Box.n = 0.5
            elif change == 4:
                k = 0.25

    c = torch.compile(f)
    for (x,) in calls():
        assert torch.equal(c(x), f(x))
    assert not c.reason and c.count == 6
    FACTOR_RESET()


def FACTOR_RESET():
    global FACTOR
    FACTOR = 2.0


def test_hidden_python_state_runs_as_it_is_written():
    class Counter:
        n = 0.0

    def f(x):
        Counter.n += 1
        return x * Counter.n

    def make():
        Counter.n = 0.0
        return f, lambda: []

    both(make, [lambda x=x: x for x in XS], warns="'n' (2.0, and then 3.0)")


def test_a_python_random_number_runs_as_it_is_written():
    import random

    rng = [random.Random(0)]

    def make():
        rng[0] = random.Random(0)
        return (lambda x: x * rng[0].random()), lambda: []

    both(make, [lambda x=x: x for x in XS], warns="cannot be watched, a Random")


def chained(x, write):
    y = x.clone()
    write(y)
    return y


@pytest.mark.parametrize("f", [
    lambda x: x * 2 if x.sum() > 0 else x * 3,
    lambda x: x * x.sum().item(),
    lambda x: x * float(x.sum()),
    lambda x: x[x > 0],
    lambda x: x.nonzero(),
    lambda x: x + torch.tensor(x.numpy()),
    lambda x: x + torch.from_numpy(np.ones(4, "f4")),
    lambda x: (f"{x[0, 0]}", x * 2)[1],
    lambda x: x + torch.tensor([1.0, *np.ones(3)]),
    lambda x: x.tolist(),
    lambda x: str(x),
    lambda x: x.view(4, 3),
    lambda x: x.unique(),
    lambda x: (x.argwhere(), x.argwhere().stride()),
    lambda x: x * x.untyped_storage().nbytes(),
    lambda x: x.clone().resize_(2),
    lambda x: torch.from_dlpack(x.__dlpack__()) * 2,
    lambda x: chained(x, lambda y: y[:, 1:].mul_(y[:, :-1])),  # which reads what it writes
    lambda x: chained(x, lambda y: y[:, 1:].addcmul_(y[:, :-1], y[:, 1:])),
    lambda x: chained(x, lambda y: y[:, 1:].index_add_(0, torch.tensor([0]), y[:1, :-1])),
    lambda x: chained(x, lambda y: y[:, 1:].index_put_((torch.tensor([0]),), y[:1, :-1])),
])  # fmt: skip
def test_what_cannot_be_repeated_runs_as_it_is_written(f):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        c = torch.compile(f)
        for x in XS:
            assert same(c(*x), f(*x))
    assert len(said) == 1 and "test_compile.py" in str(said[0].message) and c.reason


def test_after_eight_programs_it_runs_as_it_is_written():
    c = torch.compile(lambda x: x * 2, backend="eager")
    with pytest.warns(UserWarning, match="8 programs have been made, for other shapes"):
        for n in range(1, 12):
            for _ in range(3):
                assert same(c(t(n)), t(n) * 2)
    assert c.count == 9 and "shapes" in c.reason


def test_effects_happen_in_ordinary_and_recorded_calls_only(capsys):
    def f(x):
        print("here")
        return x + 1

    c = torch.compile(f, backend="eager")
    for (x,) in XS:
        assert same(c(x), x + 1)
    assert capsys.readouterr().out.count("here") == 3 and c.count == 1


def test_hooks_of_tensors_and_a_graph_that_is_kept_over_calls():
    w, seen = t(4).requires_grad_(), []

    def step(x):
        w.grad = None
        (w * x).sum().backward()
        return w.grad.clone()

    handle = w.register_hook(seen.append)
    c = torch.compile(step, backend="eager")
    with pytest.warns(UserWarning, match="a tensor with hooks is read, at test_compile.py"):
        for i, (x,) in enumerate(XS):
            assert same(c(x), x.sum(0) if x.dim() > 1 else x) and len(seen) == i + 1
    handle.remove()
    c = torch.compile(lambda x: (x * w).tanh(), backend="eager")
    for (x,) in XS:
        w.grad = None
        y = c(x).sum()
        y.backward(retain_graph=True)
        y.backward()
        (once,) = torch.autograd.grad((x * w).tanh().sum(), w)
        assert torch.allclose(w.grad, 2 * once)
        with pytest.raises(RuntimeError, match="second time") as said:
            y.backward()
    assert c.count == 1 and not c.reason and "the sum of what it returns" in str(said.value)


def test_fullgraph_raises():
    c = torch.compile(lambda x: x * x.sum().item(), fullgraph=True)
    c(*XS[0])
    with pytest.raises(RuntimeError, match="item"):
        c(*XS[1])


def test_random_numbers_follow_the_stream():
    plain(lambda x: F.dropout(x, 0.5) + torch.randn(3, 4) + torch.rand_like(x), *XS)
    plain(lambda x: (torch.manual_seed(3), x + torch.randn(4))[1], *XS, warns="random")


def test_arguments_and_globals_written_in_place():
    total = torch.zeros(3, 4)

    def make():
        total.zero_()
        return (lambda x: (x.mul_(2), total.add_(x))[1].sum()), lambda: [total]

    both(make, [lambda i=i: (t(3, 4, seed=i),) for i in range(6)])


def test_a_constant_that_is_written_begins_anew():
    def f(x):
        s = torch.zeros(())
        s += x.sum()
        h = torch.zeros(4)
        h[1:3] = x[0, 1:3]
        return s, h * 2

    plain(f, *XS)


def test_a_tensor_made_of_numbers_of_python():
    numbers, data = [1.0, 2], {"mean": (0.5, 3)}

    def make():
        numbers[:], data["mean"] = [1.0, 2], (0.5, 3)

        def f(x, more, change=None):
            if change is not None:
                numbers[0], data["mean"] = change, (change, 1)
            s = torch.tensor(numbers)
            s += x[0, :2]
            w = torch.tensor([[0.5], [2.0]], requires_grad=True)
            (w * x[:2]).square().sum().backward()
            y = torch.as_tensor(data["mean"]) * x.new_tensor(more) + x[1, torch.tensor([0, 2])]
            sizes = torch.tensor(x.shape), torch.tensor(range(len(more)))
            return s, y, w.grad, torch.Tensor([1, 2, 3]), sizes

        return f, lambda: []

    calls = [lambda x=x, m=m: (x[0], m) for m in ([1, 2], (3.0, 4.5)) for x in XS[:4]]
    both(make, calls, programs=2)
    both(make, [*calls[:4], lambda: (XS[0][0], [1, 2], 7.0), *calls[:4]], programs=2)


def test_what_the_caller_does_to_a_tensor_made_of_numbers():
    def f(x):
        return torch.tensor([1.0, 2.0, 3.0, 4.0]), x + torch.tensor([1.0, 2.0, 3.0, 4.0])

    c = exact(f)
    for (x,) in XS:
        found = c(x)
        assert same(found, f(x))
        found[0].zero_()
    assert c.count == 1


@pytest.mark.parametrize("keep", [
    lambda held, y: held["list"].append(y), lambda held, y: setattr(held["list"][0], "last", y),
])  # fmt: skip
def test_a_tensor_that_is_kept_runs_as_it_is_written(keep):
    held = {}

    def make():
        held["list"] = [nn.Identity()]

        def f(x):
            keep(held, x * 2)
            return x.sum()

        return f, lambda: []

    both(make, [lambda x=x: x for x in XS], warns="keeps")


def test_index_tensors_integers_and_bools():
    w = t(10, 4)
    indices = [(torch.tensor([i, 2, 5]), x[0]) for i, x in enumerate(XS)]

    def f(i, x):
        rows = w[i]
        return torch.where(rows > x, rows, x), (i * 2) // 3, rows.argmax(1), rows.sort(1)

    plain(f, *indices)


@pytest.mark.parametrize("what", ["memory", "requires_grad"])
def test_what_is_replaced_between_two_recordings(what):
    w = t(3)

    @torch.compile
    def f(x):
        return x * w

    for i in range(6):
        if what == "memory":
            w.data = w.data + i if i < 3 else w.data
        else:
            w.requires_grad_(i != 2)
        y = f(t(3))
        assert torch.equal(y, t(3) * w) and y.requires_grad is w.requires_grad
    assert f.count == 1 and not f.reason


def test_a_global_tensor_that_is_replaced():
    class Net:
        w = t(4, 2)

    c = torch.compile(lambda x: x @ Net.w)
    for x in XS * 2:
        assert torch.equal(c(*x), x[0] @ Net.w)
    Net.w = t(4, 2, seed=9)
    for x in XS:
        assert torch.equal(c(*x), x[0] @ Net.w)
    Net.w.data = t(4, 2, seed=8)
    for x in XS:
        assert torch.equal(c(*x), x[0] @ Net.w)
    with torch.no_grad():
        Net.w.add_(1)
    assert torch.equal(c(*x), x[0] @ Net.w) and c.count == 3


# ---- gradients from outside ----------------------------------------------------------------------
def test_backward_through_a_compiled_module():
    torch.manual_seed(0)
    a = net()
    b = copy.deepcopy(a)
    c = exact(b)
    assert [*c.state_dict()] == [f"_orig_mod.{k}" for k in a.state_dict()]
    for i in range(8):
        x = t(16, 4, seed=i)
        for model in (a, c):
            torch.manual_seed(i)
            model.zero_grad()
            model(x).square().mean().backward()
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            assert same(p.grad, q.grad)
        assert all(map(same, a.buffers(), b.buffers()))
    assert not c.reason and "linear_vjp1" in str(c.graph)
    a.eval(), c.eval()
    for i in range(4):
        with torch.no_grad():
            assert same(a(t(16, 4, seed=i)), c(t(16, 4, seed=i)))


def test_two_outputs_one_without_gradient_and_a_stale_weight():
    w = t(4, 2).requires_grad_()
    c = torch.compile(lambda x: ((x @ w).tanh(), (x @ w).exp(), x + 1))
    for i, (x,) in enumerate(XS):
        a, b, plus = c(x)
        assert not plus.requires_grad
        (g,) = torch.autograd.grad((a.sum() + (b * 2).sum()), w)
        y = x @ w
        (h,) = torch.autograd.grad(y.tanh().sum() + (y.exp() * 2).sum(), w)
        assert torch.allclose(g, h, rtol=1e-5), i
    assert c.count == 1 and not c.reason
    c = torch.compile(lambda v, x: (v * v * x).sum())
    for (x,) in XS:
        v = t(4).requires_grad_()
        loss = c(v, x)
    with torch.no_grad():
        v.mul_(2)
    with pytest.raises(RuntimeError, match="inplace"):
        loss.backward()


@dataclasses.dataclass(frozen=True)
class Losses:
    of: torch.Tensor
    root: torch.Tensor
    name: str = "losses"


def test_outputs_that_get_no_gradient_give_none():
    """Not zeros: 0 times an infinite derivative is NaN, and a leaf's gradient may stay None."""
    w = torch.zeros(2, requires_grad=True)

    def f(x):
        return Losses((x * w).sum() + x.sum(), (w * w).sum().sqrt()), x.sqrt(), x * 1

    c = torch.compile(f)
    for i, used in enumerate([(0,), (0,), (0, 1, 2, 3), (0,), (1,), (2,), (3,), (0, 3), (1, 2)]):
        found = []
        for g in (f, c):
            x, w.grad = torch.tensor([0.0, 2.0], requires_grad=True), None
            losses, *more = g(x)
            assert type(losses) is Losses and losses.name == "losses"
            outputs = [losses.of, losses.root, *more]
            torch.autograd.backward([outputs[k].sum() for k in used])
            found.append([g if g is None else g.tolist() for g in (x.grad, w.grad)])
        assert repr(found[0]) == repr(found[1]), (i, used)
    assert c.count == 1 and not c.reason


# ---- what else is a program ----------------------------------------------------------------------
def test_a_compiled_function_in_another():
    inner = torch.compile(lambda x: x.sin())
    plain(lambda x: inner(x) + inner(x * 2), *XS)


def test_as_decorator_and_disabled():
    @torch.compile(fullgraph=True, dynamic=False, mode="max-autotune")
    def f(x):
        return x + 1

    for x in XS:
        assert torch.equal(f(*x), x[0] + 1)
    assert f.count == 1
    assert torch.compile(len, disable=True) is len
    with pytest.raises(TypeError):
        torch.compile(3)


def test_masks_windows_and_checked_indices_have_programs():
    """What the library computes from sizes is a constant; a check of numbers is a step."""
    index = torch.tensor([[0], [3], [1]])

    def f(x, i):
        s = x.reshape(1, 3, 4)
        a = F.scaled_dot_product_attention(s, s, s, is_causal=True)[0] * torch.hann_window(4)
        b = a.gather(1, i) + F.one_hot(i[:, 0], 4).float()
        return b.index_select(0, i[:1, 0]).repeat_interleave(2, 0) + torch.bernoulli(x.sigmoid())[0]

    c = plain(f, *[(x[0], index) for x in XS])
    for bad in (4, -1):
        wrong = torch.tensor([[0], [bad], [1]])
        with pytest.raises(RuntimeError, match="out of bounds"):
            c(XS[0][0], wrong)


@pytest.mark.parametrize("write", [
    lambda z: z.__setitem__((slice(None), 1), z[:, 0]),  # beside what it reads, in one memory
    lambda z: z.__setitem__(slice(1, None), False),
    lambda z: z.__setitem__(((0, 2),), z[1].clone()),
    lambda z: z[0, 1].logical_not_(),
    lambda z: z.__setitem__(z, False),
])  # fmt: skip
def test_parts_of_a_mask_are_written(write):
    plain(lambda x: chained(x > 0, write), *XS)


def test_a_large_array_is_summed():
    """The derivative of a large sum asks what it is a gradient of."""
    w = torch.ones(300, 400, requires_grad=True)

    def f(x):
        (w * x).mean().backward()
        (w * x).sum(1).sum().backward()
        return w.grad.sum()

    g, x = torch.compile(f, fullgraph=True), torch.randn(300, 400)
    for _ in range(4):
        w.grad = None
        got = g(x)
    w.grad = None
    assert got.item() == pytest.approx(f(x).item(), rel=1e-4)
