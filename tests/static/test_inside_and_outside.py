"""A compiled function among others: transforms in it and around it, a graph that was begun before,
autocast around it, and every optimizer with its options."""

import inspect

import numpy as np
import pytest

import microtorch as torch
from microtorch import func, nn, optim
from microtorch.nn import functional as F

NET = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def per_sample(x):
    weights = {k: v.detach() for k, v in NET.named_parameters()}

    def loss(w, x):
        return func.functional_call(NET, w, (x[None],)).square().sum()

    return [*func.vmap(func.grad(loss), in_dims=(None, 0))(weights, x).values()]


TRANSFORMS = {
    "vmap": lambda x: func.vmap(lambda r: r.sin() * r.sum())(x),
    "jacrev": lambda x: func.jacrev(lambda y: y.sin() * y.sum())(x[0]),
    "jacfwd": lambda x: func.jacfwd(lambda y: y.sin() * y.sum())(x[0]),
    "hessian": lambda x: func.hessian(lambda y: (y**3).sum())(x[0]),
    "jvp": lambda x: func.jvp(torch.sin, (x,), (x,))[1],
    "random": lambda x: func.vmap(lambda r: r + torch.rand(3), randomness="different")(x),
    "gradients of each sample": per_sample,
}


def numbers(x):
    return [x.detach().numpy()] if isinstance(x, torch.Tensor) else [y.numpy() for y in x]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_inside(name):
    found = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend="eager")):
        torch.manual_seed(0)
        f = wrap(TRANSFORMS[name])
        found.append([numbers(f(torch.randn(2, 3))) for _ in range(5)])
    assert f.count == 1 and not f.reason
    for want, got in zip(*found, strict=True):
        for x, y in zip(want, got, strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_transform_around_runs_as_it_is_written():
    f = torch.compile(lambda r: r * r + r.sum())
    for _ in range(4):
        f(torch.ones(3))
        assert func.vmap(f)(torch.ones(2, 3)).tolist() == [[4, 4, 4]] * 2
        assert func.jvp(f, (torch.ones(3),), (torch.ones(3),))[1].tolist() == [5, 5, 5]
        assert func.grad(lambda y: f(y).sum())(torch.ones(3)).tolist() == [5, 5, 5]
    assert not f.reason


@pytest.mark.parametrize("mode", ["eager", "inductor"])
def test_a_layer_in_the_middle_of_an_eager_net(mode):
    """Its argument has a graph, to which its backward hands on; it may share weights with it."""
    results = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend=mode)):
        torch.manual_seed(0)
        a, b = nn.Linear(3, 4), nn.Linear(4, 4)
        middle = wrap(lambda h, a=a, b=b: torch.tanh(b(h)) * a.bias + h)
        for _ in range(5):
            loss = middle(torch.tanh(a(torch.randn(2, 3)))).square().sum()
            a.zero_grad(), b.zero_grad()
            loss.backward()
            with torch.no_grad():
                for p in (*a.parameters(), *b.parameters()):
                    p -= 0.01 * p.grad
        results.append([loss.item(), *[p.detach().numpy() for p in a.parameters()]])
    assert middle.count == 1 and not middle.reason
    for x, y in zip(*results, strict=True):
        np.testing.assert_allclose(x, y, rtol=0 if mode == "eager" else 1e-5)


def test_a_backward_inside_that_would_lead_outside_runs_as_it_is_written():
    w = torch.ones(2, requires_grad=True)
    f = torch.compile(lambda h: (h.sum().backward(), h * 3)[1])
    with pytest.warns(UserWarning, match="backward runs inside"):
        for _ in range(4):
            w.grad = None
            f(w * 2)
            assert w.grad.tolist() == [2, 2]


def test_autocast_around():
    f, x = torch.compile(lambda x: x @ x.T), torch.randn(3, 3)
    for i in range(12):
        with torch.autocast("cpu", enabled=i % 3 == 2):
            got, want = f(x), x @ x.T
        assert got.dtype == want.dtype and torch.allclose(got.float(), want.float())
    assert f.count == 2 and not f.reason


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_numbers_beside_halves_are_not_rounded_while_they_are_recorded(dtype):
    """Nor afterwards: a number that is met first in a recording is kept for later."""
    x = torch.randn(64).to(dtype)

    def f(x):
        y = x * 0.8765 / 1.2345
        return y.mul_(0.8765).add_(x, alpha=0.1234)

    compiled = torch.compile(f, backend="eager")
    compiled(x[:1])
    found = [compiled(x) for _ in range(4)]
    want = x.float()
    for number in (0.8765, 1 / 1.2345, 0.8765):
        want = (want * number).to(dtype).float()
    assert torch.allclose(want + 0.1234 * x.float(), f(x).float(), atol=1e-2)
    assert all(torch.equal(y, f(x)) for y in found) and not compiled.reason
    y = x.clone()
    assert torch.equal(y.mul_(0.8765), (x.float() * 0.8765).to(dtype))


def test_a_write_to_a_part_of_what_was_expanded():
    def f(x):
        e = (x * 2).expand(3, 2)
        e[0].zero_()
        return e + 1

    compiled = torch.compile(f, backend="eager")
    for _ in range(4):
        assert torch.equal(compiled(torch.ones(2)), f(torch.ones(2)))
    assert compiled.count == 1


OPTIONS = {
    "momentum": 0.9, "nesterov": True, "amsgrad": True, "maximize": True, "weight_decay": 0.1,
    "centered": True, "decoupled_weight_decay": True, "lr_decay": 0.1, "foreach": True,
}  # fmt: skip
OPTIMIZERS = [n for n in optim.__all__ if n[0].isupper() and n not in ("Optimizer", "SparseAdam")]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_with_its_options(name):
    """... in two groups, and with a schedule that its step moves."""
    known = inspect.signature(getattr(optim, name)).parameters
    if name == "LBFGS":
        return  # below
    for option in [None, *[k for k in OPTIONS if k in known]]:
        settings = {} if option is None else {option: OPTIONS[option]}
        settings |= {"momentum": 0.9} if option == "nesterov" else {}
        found = []
        for wrap in (lambda f: f, lambda f: torch.compile(f, backend="eager")):
            torch.manual_seed(0)
            net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False))
            groups = [{"params": [net[0].weight], "lr": 0.02}, {"params": [net[1].weight]}]
            optimizer = getattr(optim, name)(groups, lr=0.05, **settings)
            schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

            def step(x, net=net, optimizer=optimizer, schedule=schedule):
                loss = net(x).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                return loss.detach()

            step = wrap(step)
            found.append([step(torch.randn(4, 3)).item() for _ in range(5)])
        assert found[0] == found[1] and step.count == 1, option


def test_a_rate_that_is_read_after_a_schedule_has_moved_it():
    """Two recorded calls may well read the same."""
    w = torch.ones(3, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    schedule = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    @torch.compile(backend="eager")
    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        schedule.step()
        return optimizer.param_groups[0]["lr"]

    with pytest.warns(UserWarning, match="may read a learning rate"):
        rates = [step(torch.ones(3)) for _ in range(6)]
    assert rates == [0.1, 0.05, 0.05, 0.025, 0.025, 0.0125]


def test_lbfgs_runs_as_it_is_written():
    found = []
    for wrap in (lambda f: f, torch.compile):
        torch.manual_seed(0)
        net = nn.Linear(3, 1)
        optimizer = optim.LBFGS(net.parameters(), max_iter=3)

        def closure(net=net, optimizer=optimizer):
            optimizer.zero_grad()
            loss = F.mse_loss(net(torch.ones(2, 3)), torch.ones(2, 1))
            loss.backward()
            return loss

        step = wrap(lambda optimizer=optimizer, closure=closure: optimizer.step(closure).item())
        found.append([])
        for i in range(4):
            if wrap is torch.compile and i == 1:
                with pytest.warns(UserWarning, match="runs as it is written"):
                    found[-1].append(step())
            else:
                found[-1].append(step())
    assert found[0] == found[1] and step.reason


def test_an_average_of_weights_and_a_momentum_that_a_schedule_moves():
    results = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend="eager")):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        mean = optim.swa_utils.AveragedModel(net)
        optimizer = optim.RMSprop(net.parameters(), lr=0.05, momentum=0.5)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)

        def step(x, net=net, mean=mean, optimizer=optimizer, schedule=schedule):
            loss = net(x).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            mean.update_parameters(net)
            return loss.detach()

        step = wrap(step)
        losses = [step(torch.randn(4, 3)).item() for _ in range(7)]
        results.append([losses, [p.tolist() for p in (*mean.parameters(), *mean.buffers())]])
    assert results[0] == results[1] and step.count >= 1 and not step.reason
