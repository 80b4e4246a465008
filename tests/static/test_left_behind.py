"""What a call leaves behind besides numbers: hooks, modes, needs of gradients. No program may lose
it, and what stands around a call must be heard."""

import warnings

import pytest

import microtorch as torch
from microtorch import nn

HELD = {}


def w():
    return HELD["w"]


def keeps_its_gradient(x):
    y = x * w()
    y.retain_grad()
    return y


LEAVE = {
    "a gradient that is kept, of the result": keeps_its_gradient,
    "a gradient that is kept, of an argument": lambda x: (x.retain_grad(), x * w())[1],
    "and of one that is not read": lambda x: (x.retain_grad(), w() * 2)[1],
    "a hook on an argument": lambda x: (x.register_hook(lambda g: g * 3), x * w())[1],
    "and on one that is not read": lambda x: (x.register_hook(lambda g: g * 3), w() * 2)[1],
    "a hook on a tensor outside": lambda x: (w().register_hook(lambda g: g * 3), x * 2)[1],
    "grad mode": lambda x: (torch.set_grad_enabled(False), x * w())[1],
    "autocast": lambda x: (torch.set_autocast_enabled("cpu", True), x * w())[1],
    "the default dtype": lambda x: (torch.set_default_dtype(torch.float64), x * w())[1],
    "anomaly detection": lambda x: (torch.autograd.set_detect_anomaly(True), x * w())[1],
    "how tensors are printed": lambda x: (torch.set_printoptions(precision=2), x * w())[1],
    "a tensor that needs gradient": lambda x: (HELD["unread"].requires_grad_(), x * w())[1],
}


def seen(f):
    """A call, the gradients that follow, and all that a caller could ask for then."""
    x = torch.linspace(-1, 2, 3).requires_grad_() * 1
    try:
        y = f(x)
        asked = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), str(
            torch.get_default_dtype()
        ), torch.is_anomaly_enabled(), repr(torch.tensor(1 / 3)), HELD["unread"].requires_grad
    finally:
        torch.set_grad_enabled(True)
        torch.set_autocast_enabled("cpu", False)
        torch.set_default_dtype(torch.float32)
        torch.autograd.set_detect_anomaly(False)
        torch.set_printoptions(precision=4)
        HELD["unread"].requires_grad_(False)
    w().grad = None
    loss = (x * 2).sum() + (y * y).sum()
    loss.backward()
    kept = [t.grad for t in (x, y) if t.retains_grad]
    return [*asked, x.retains_grad, y.retains_grad], [y.detach(), w().grad, *kept]


@pytest.mark.parametrize("name", LEAVE)
def test_a_call_leaves_behind_what_the_function_leaves(name):
    results = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend="eager")):
        HELD["w"] = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        HELD["unread"] = torch.ones(2)
        f = wrap(LEAVE[name])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.append([seen(f) for _ in range(6)])
    for (asked, given), (again, got) in zip(*results, strict=True):
        assert asked == again and len(given) == len(got)
        assert all(a is b is None or torch.equal(a, b) for a, b in zip(given, got, strict=True))
    assert f.reason


def test_saved_tensors_hooks_around_a_call_are_called():
    packed = []
    weight = torch.ones(3, requires_grad=True)
    for backend in ("eager", "inductor"):
        f = torch.compile(lambda x: (x * weight).tanh(), backend=backend)
        x = torch.ones(3)
        for _ in range(4):
            f(x)
        assert f.count == 1
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: (packed.append(1), t)[1], lambda t: t * 0
        ):
            y = f(x)
        weight.grad = None
        y.sum().backward()
        assert packed and torch.equal(weight.grad, torch.zeros(3))  # as the hook says
        packed.clear()
        f(x)
        assert not packed and not f.reason


def test_a_tensor_of_which_no_number_is_read_may_need_gradient_later():
    other = torch.ones(2)
    f = torch.compile(lambda x: x * (2 if other.requires_grad else 3), backend="eager")
    x = torch.ones(2)
    for needs in (False, False, False, True, True, True, False):
        other.requires_grad_(needs)
        for _ in range(3):
            assert f(x)[0] == (2 if needs else 3)
    p, q = (nn.Parameter(torch.ones(2), requires_grad=needs) for needs in (False, True))
    optimizer = torch.optim.SGD([p, q], lr=0.5)

    def step(x):
        (x * q).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    step = torch.compile(step, backend="eager")
    for _ in range(4):
        step(x)
    p.requires_grad_()
    p.sum().backward()
    step(x)
    assert p.tolist() == [0.5, 0.5]


KEPT = []
TOUCH = {
    "before it reads the weight": lambda w: (w.grad.zero_(), (w * 2).sum().backward())[0],
    "and reads no weight": lambda w: w.grad.mul_(0.5),
    "a list, in place": lambda w: nn.utils.clip_grad_norm_([w], 1.0),
    "and by another name": lambda w: KEPT[0].mul_(0.5) + w.grad,
}


@pytest.mark.parametrize("name", TOUCH)
def test_a_gradient_is_the_one_that_its_tensor_has_by_now(name):
    """A program that touches .grad finds it anew: the loop around it may have made another one."""
    results, touch = [], TOUCH[name]
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend="eager")):
        HELD["w"] = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        step, found = wrap(lambda: touch(w()).clone()), []
        for i in range(9):
            if i in (0, 5):  # what is there stays as it is from now on
                w().grad = None
                (w() * (i + 1)).sum().backward()
                found.append(w().grad)
                KEPT[:] = found[:1]
            if i == 7:
                w().grad = torch.ones(3)
                found.append(w().grad)
            y = step()
            results.append([y.tolist(), *[g.tolist() for g in found], w().grad.tolist()])
    assert results[:9] == results[9:]
    assert step.count == 1 + (name == "and by another name") and not step.reason


def test_a_gradient_that_is_an_argument_and_gets_more():
    HELD["w"] = torch.ones(3, requires_grad=True)
    (w() * 2).sum().backward()
    f = torch.compile(lambda g: ((w() * 3).sum().backward(), g * 2)[1], backend="eager")
    with pytest.warns(UserWarning, match="an argument is the gradient of a tensor that it reads"):
        for _ in range(3):
            f(w().grad)
    assert f(torch.zeros(3)).tolist() == [0, 0, 0] and w().grad.tolist() == [14, 14, 14]


@pytest.mark.parametrize("backend", ["eager", "inductor"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("given", [False, True])
def test_an_argument_that_is_a_gradient_in_some_calls_only(first, given, backend):
    """... which the function finds at its tensor, too: then it reads one tensor, or two."""
    def f(y, w=None):
        s = ((HELD["w"] if w is None else w).grad * 2).sum()
        y.add_(1)
        return s

    found = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend=backend)):
        HELD["w"] = torch.ones(4, requires_grad=True)
        (w() * 2).sum().backward()
        step = wrap(f)
        for is_gradient in (*[first] * 4, not first, first, *[not first] * 4, first):
            y = w().grad if is_gradient else torch.ones(4)
            found.append((step(y, w()) if given else step(y)).item())
    assert found[:11] == found[11:] and step.count == 2 and not step.reason
