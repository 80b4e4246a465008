"""torch.optim: SGD and learning rate schedules; numbers recorded from PyTorch 2.13 (CPU)."""

import copy
import gc
import weakref

import pytest

import microtorch as torch
from microtorch import nn, optim
from microtorch.optim import lr_scheduler

# fmt: off
# settings, parameter after five steps, momentum buffer
SGD = [
    ({"lr": 0.1}, [0.5592548, -3.5186205, -0.0212283], None),
    ({"lr": 0.1, "momentum": 0.9}, [-0.1633157, -6.711638, -0.8907748], [3.7526865, 22.3653183, 4.3086433]),
    ({"lr": 0.1, "momentum": 0.9, "dampening": 0.3}, [0.086743, -5.1292329, -0.6056872], [2.7677305,
     12.804388, 3.1959939]),
    ({"lr": 0.05, "momentum": 0.8, "nesterov": True}, [0.3737001, -4.1551437, -0.247135], [3.0253024,
     12.6504192, 3.4613948]),
    ({"lr": 0.1, "weight_decay": 0.2}, [0.4760358, -3.1301904, -0.0472508], None),
    ({"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}, [-0.6387492, -11.8944082,
     -1.3204873], [4.0155158, 37.1413727, 4.4483795]),
    ({"lr": 0.1, "maximize": True}, [1.4017186, -1.205707, 1.1208161], None),
    ({"lr": 0.1, "momentum": 0.5, "maximize": True, "weight_decay": 0.1}, [1.5540569, -0.6332362,
     1.4638354], [-1.2379405, -2.6233757, -2.6842179]),
]
# name, arguments, rates of two groups at each epoch
LRS = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}, [[0.1, 1.0], [0.1, 1.0], [0.1, 1.0], [0.05, 0.5], [0.05,
     0.5], [0.05, 0.5], [0.025, 0.25], [0.025, 0.25], [0.025, 0.25], [0.0125, 0.125]]),
    ("MultiStepLR", {"milestones": [2, 5, 5, 7], "gamma": 0.1}, [[0.1, 1.0], [0.1, 1.0],
     [0.010000000000000002, 0.1], [0.010000000000000002, 0.1], [0.010000000000000002, 0.1],
     [0.00010000000000000005, 0.0010000000000000002], [0.00010000000000000005, 0.0010000000000000002],
     [1.0000000000000006e-05, 0.00010000000000000003], [1.0000000000000006e-05, 0.00010000000000000003],
     [1.0000000000000006e-05, 0.00010000000000000003]]),
    ("ExponentialLR", {"gamma": 0.9}, [[0.1, 1.0], [0.09000000000000001, 0.9], [0.08100000000000002, 0.81],
     [0.07290000000000002, 0.7290000000000001], [0.06561000000000002, 0.6561000000000001],
     [0.05904900000000002, 0.5904900000000002], [0.05314410000000002, 0.5314410000000002],
     [0.04782969000000002, 0.47829690000000014], [0.043046721000000024, 0.43046721000000016],
     [0.03874204890000002, 0.38742048900000015]]),
    ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.01}, [[0.1, 1.0], [0.08681980515339464,
     0.855017856687341], [0.05500000000000001, 0.505], [0.023180194846605363, 0.15498214331265903], [0.01,
     0.01], [0.023180194846605363, 0.15498214331265897], [0.05500000000000002, 0.5050000000000001],
     [0.08681980515339469, 0.8550178566873414], [0.10000000000000006, 1.0000000000000004],
     [0.0868198051533947, 0.8550178566873415]]),
    ("LinearLR", {"total_iters": 4}, [[0.03333333333333333, 0.3333333333333333], [0.05, 0.5],
     [0.06666666666666668, 0.6666666666666667], [0.08333333333333334, 0.8333333333333335], [0.1,
     1.0000000000000002], [0.1, 1.0000000000000002], [0.1, 1.0000000000000002], [0.1, 1.0000000000000002],
     [0.1, 1.0000000000000002], [0.1, 1.0000000000000002]]),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 6}, [[0.1, 1.0], [0.085, 0.85],
     [0.07, 0.7], [0.05500000000000001, 0.5499999999999999], [0.04000000000000001, 0.39999999999999997],
     [0.025000000000000005, 0.24999999999999997], [0.010000000000000002, 0.09999999999999999],
     [0.010000000000000002, 0.09999999999999999], [0.010000000000000002, 0.09999999999999999],
     [0.010000000000000002, 0.09999999999999999]]),
    ("ConstantLR", {"factor": 0.5, "total_iters": 3}, [[0.05, 0.5], [0.05, 0.5], [0.05, 0.5], [0.1, 1.0],
     [0.1, 1.0], [0.1, 1.0], [0.1, 1.0], [0.1, 1.0], [0.1, 1.0], [0.1, 1.0]]),
]
# fmt: on


def parameter(*values):
    return nn.Parameter(torch.tensor(values or (0.0,)))


@pytest.mark.parametrize(("settings", "expected", "buffer"), SGD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sgd(settings, expected, buffer, dtype):
    p = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=dtype))
    unused = parameter(1.0)
    optimizer = optim.SGD([p, unused], **settings)
    for _ in range(5):
        optimizer.zero_grad()
        (p * p * p * torch.tensor([0.1, 0.2, 0.3]) + p.sin()).sum().backward()
        assert optimizer.step() is None
    assert p.tolist() == pytest.approx(expected, rel=2e-6)
    assert p.dtype is dtype and p.is_leaf and unused.tolist() == [1.0]
    state = optimizer.state[p] if buffer else {}
    assert state.get("momentum_buffer", torch.zeros(0)).tolist() == pytest.approx(buffer or [], rel=2e-6)


def test_step_writes_in_place_and_is_seen():
    p = parameter(1.0, 2.0)
    view = p.detach()
    y = p * p
    p.grad = torch.ones(2)
    optimizer = optim.SGD([p], lr=0.5)
    optimizer.step()
    assert view.tolist() == [0.5, 1.5]
    with pytest.raises(RuntimeError, match=r"in-?place"):
        y.sum().backward()  # p * p needs the p of before the step


def test_zero_grad_and_closure():
    p = parameter(3.0)
    optimizer = optim.SGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert p.item() == pytest.approx(2.4)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()
    assert p.item() == pytest.approx(2.4)


def test_groups():
    a, b = parameter(1.0), parameter(1.0)
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    a.grad, b.grad = torch.ones(1), torch.ones(1)
    optimizer.step()
    assert (a.item(), b.item()) == pytest.approx((0.9, 0.5))
    optimizer.add_param_group({"params": [parameter(2.0)], "momentum": 0.9})
    assert [g["momentum"] for g in optimizer.param_groups] == [0, 0, 0.9]
    assert optimizer.param_groups[2]["lr"] == 0.1
    named = optim.SGD(nn.Linear(1, 1).named_parameters(), lr=0.1)
    assert named.param_groups[0]["param_names"] == ["weight", "bias"]


def test_repr():
    optimizer = optim.SGD([{"params": [parameter()]}, {"params": [parameter()], "lr": 3}], lr=0.1, momentum=0.9)
    assert repr(optimizer) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 0.1\n    maximize: False\n    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n"
        "\nParameter Group 1\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 3\n    maximize: False\n    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n)"
    )


p = parameter(1.0, 2.0)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: optim.SGD([], lr=0.1), ValueError, "optimizer got an empty parameter list"),
        (lambda: optim.SGD(p, lr=0.1), TypeError, "iterable of Tensors or dicts, but got torch.FloatTensor"),
        (lambda: optim.SGD([p * 2], lr=0.1), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: optim.SGD([3], lr=0.1), TypeError, "one of the params is int"),
        (lambda: optim.SGD([{"params": {p}}], lr=0.1), TypeError, "ordered collections"),
        (lambda: optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1), ValueError, "in more than one parameter group"),
        (lambda: optim.SGD([p], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: optim.SGD([p], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda: optim.SGD([p], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda: optim.SGD([p], nesterov=True), ValueError, "Nesterov momentum requires"),
        (lambda: optim.SGD([p]).add_param_group(3), TypeError, "param_group must be a dict"),
        (lambda: optim.SGD([p]).load_state_dict({"state": {}, "param_groups": []}), ValueError, "different number"),
        (
            lambda: optim.SGD([p]).load_state_dict({"state": {}, "param_groups": [{"params": []}]}),
            ValueError,
            "doesn't match the size of optimizer's group",
        ),
        (lambda: lr_scheduler.StepLR(3, 2), TypeError, "int is not an Optimizer"),
        (lambda: lr_scheduler.LambdaLR(optim.SGD([p]), [abs, abs]), ValueError, "Expected 1 lr_lambdas, but got 2"),
        (lambda: lr_scheduler.ReduceLROnPlateau(optim.SGD([p]), factor=2), ValueError, "Factor should be < 1.0"),
        (lambda: lr_scheduler.ReduceLROnPlateau(optim.SGD([p]), "x"), ValueError, "mode x is unknown"),
        (lambda: lr_scheduler.LinearLR(optim.SGD([p]), start_factor=2), ValueError, "Starting multiplicative factor"),
        (lambda: lr_scheduler.StepLR(optim.SGD([p]), 2, last_epoch=3), KeyError, "'initial_lr' is not specified"),
        (lambda: optim.NAdam, AttributeError, "torch.optim.NAdam is not in microtorch; there are SGD, .*Adam"),
        (lambda: optim.SDG, AttributeError, "Did you mean 'SGD'"),
    ],
)
def test_mistakes(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_duplicate_parameter_warns():
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([p, p], lr=0.1)


def test_state_dict_round_trip():
    a, b = parameter(1.0), parameter(2.0, 3.0)
    optimizer = optim.SGD([a, b], lr=0.1, momentum=0.9)
    b.grad = torch.ones(2)
    optimizer.step()
    state = optimizer.state_dict()
    assert state["state"][1]["momentum_buffer"].tolist() == [1.0, 1.0] and 0 not in state["state"]
    assert state["param_groups"][0]["params"] == [0, 1] and state["param_groups"][0]["momentum"] == 0.9
    c, d = parameter(1.0), nn.Parameter(b.detach().double())
    other = optim.SGD([c, d], lr=7.0)
    other.load_state_dict(copy.deepcopy(state))
    assert other.param_groups[0]["lr"] == 0.1 and other.state[d]["momentum_buffer"].dtype is torch.float64
    d.grad, b.grad = torch.ones(2, dtype=torch.float64), torch.ones(2)
    optimizer.step()
    other.step()
    assert d.tolist() == pytest.approx(b.tolist())


# ---------------------------------------------------------------- schedules


def run(optimizer, scheduler, epochs=10):
    rates = []
    for _ in range(epochs):
        rates.append([group["lr"] for group in optimizer.param_groups])
        assert scheduler.get_last_lr() == rates[-1]
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(("name", "arguments", "expected"), LRS)
def test_schedule(name, arguments, expected):
    optimizer = optim.SGD([{"params": [parameter()]}, {"params": [parameter()], "lr": 1.0}], lr=0.1)
    assert run(optimizer, getattr(lr_scheduler, name)(optimizer, **arguments)) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "resumed", "jumped"),
    [
        ("StepLR", {"step_size": 3, "gamma": 0.5}, [0.05, 0.025, 0.025, 0.025, 0.0125], [0.05, 0.025]),
        (
            "ExponentialLR",
            {"gamma": 0.9},
            [0.05, 0.045000000000000005, 0.04050000000000001, 0.03645000000000001, 0.03280500000000001],
            [0.05904900000000001, 0.053144100000000014],
        ),
        (
            "CosineAnnealingLR",
            {"T_max": 4, "eta_min": 0.01},
            [0.05, 0.0217157287525381, 0.01, 0.023180194846605363, 0.05500000000000002],
            [0.023180194846605356, 0.055],
        ),
        ("LinearLR", {"total_iters": 4}, [0.05, 0.0625, 0.075, 0.075, 0.075], [0.1, 0.1]),
    ],
)
def test_resume_and_jump(name, arguments, resumed, jumped):
    make = getattr(lr_scheduler, name)
    optimizer = optim.SGD([{"params": [parameter()], "initial_lr": 0.1, "lr": 0.05}])
    assert [rate for (rate,) in run(optimizer, make(optimizer, last_epoch=1, **arguments), 5)] == resumed
    optimizer = optim.SGD([parameter()], lr=0.1)
    scheduler = make(optimizer, **arguments)
    optimizer.step()
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(5)
    assert scheduler.get_last_lr() == [pytest.approx(jumped[0], rel=1e-15)]
    scheduler.step()
    assert scheduler.get_last_lr() == [pytest.approx(jumped[1], rel=1e-15)]


def test_lambda_and_chained_schedules():
    optimizer = optim.SGD([parameter()], lr=0.1)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.95**epoch)
    assert [r for (r,) in run(optimizer, scheduler, 4)] == [0.1, 0.095, 0.09025, 0.0857375]
    optimizer = optim.SGD([parameter()], lr=1.0)
    first, second = lr_scheduler.ExponentialLR(optimizer, 0.9), lr_scheduler.StepLR(optimizer, 2, 0.1)
    for _ in range(2):
        optimizer.step()
        first.step()
        second.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.081)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"patience": 1, "factor": 0.5}, [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.0125]),
        (
            {"patience": 0, "mode": "max", "threshold": 0.5, "threshold_mode": "abs", "cooldown": 1},
            [0.1, 0.01, 0.01, 0.001, 0.001, 1e-4, 1e-4, 1e-5, 1e-5, 1e-5],
        ),
        ({"patience": 0, "min_lr": 0.02}, [0.1, 0.1] + [0.02] * 8),
    ],
)
def test_plateau(arguments, expected):
    optimizer = optim.SGD([parameter()], lr=0.1)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)
    rates = []
    for value in [1.0, 0.9, torch.tensor(0.95), 0.92, 0.91, 0.5, 0.5, 0.5, 0.5, 2.0]:
        scheduler.step(value)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx(expected)


def test_scheduler_before_optimizer_warns():
    optimizer = optim.SGD([parameter()], lr=0.1)
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        scheduler.step()


def test_scheduler_state():
    optimizer = optim.SGD([parameter()], lr=0.1)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, 10)
    run(optimizer, scheduler, 3)
    state = copy.deepcopy(scheduler.state_dict())
    assert "optimizer" not in state and state["last_epoch"] == 3
    other = lr_scheduler.CosineAnnealingLR(optim.SGD([parameter()], lr=0.1), 99)
    other.load_state_dict(state)
    assert (other.T_max, other.last_epoch, other.get_last_lr()) == (10, 3, scheduler.get_last_lr())


def test_copy_of_an_optimizer():
    optimizer = optim.SGD([parameter(1.0)], lr=0.1, momentum=0.9)
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    twin = copy.deepcopy(optimizer)
    (q,) = twin.param_groups[0]["params"]
    q.grad = torch.ones(1)
    twin.step()
    assert q.item() == pytest.approx(0.9)
    assert optimizer.param_groups[0]["params"][0].item() == 1.0 and scheduler.last_epoch == 0


def test_scheduler_keeps_the_optimizer_free_of_cycles():
    gc.disable()
    try:
        optimizer = optim.SGD([parameter()], lr=0.1)
        scheduler = lr_scheduler.StepLR(optimizer, 2)
        gone = weakref.ref(optimizer)
        del optimizer, scheduler
        assert gone() is None
    finally:
        gc.enable()
