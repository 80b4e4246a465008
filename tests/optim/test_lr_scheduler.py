"""Learning rate schedules; numbers recorded from PyTorch 2.13 (CPU)."""

import copy
import gc
import weakref

import pytest

import microtorch as torch
from microtorch import nn, optim
from microtorch.optim import lr_scheduler


def parameter(*values):
    return nn.Parameter(torch.tensor(values or (0.0,)))


# fmt: off
# name, arguments, rates of two groups at each epoch
LRS = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}, [[0.1, 1.0], [0.1, 1.0], [0.1, 1.0], [0.05, 0.5],
     [0.05,
     0.5], [0.05, 0.5], [0.025, 0.25], [0.025, 0.25], [0.025, 0.25], [0.0125, 0.125]]),
    ("MultiStepLR", {"milestones": [2, 5, 5, 7], "gamma": 0.1}, [[0.1, 1.0], [0.1, 1.0],
     [0.010000000000000002, 0.1], [0.010000000000000002, 0.1], [0.010000000000000002, 0.1],
     [0.00010000000000000005, 0.0010000000000000002], [0.00010000000000000005,
     0.0010000000000000002],
     [1.0000000000000006e-05, 0.00010000000000000003], [1.0000000000000006e-05,
     0.00010000000000000003],
     [1.0000000000000006e-05, 0.00010000000000000003]]),
    ("ExponentialLR", {"gamma": 0.9}, [[0.1, 1.0], [0.09000000000000001, 0.9],
     [0.08100000000000002, 0.81],
     [0.07290000000000002, 0.7290000000000001], [0.06561000000000002, 0.6561000000000001],
     [0.05904900000000002, 0.5904900000000002], [0.05314410000000002, 0.5314410000000002],
     [0.04782969000000002, 0.47829690000000014], [0.043046721000000024, 0.43046721000000016],
     [0.03874204890000002, 0.38742048900000015]]),
    ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.01}, [[0.1, 1.0], [0.08681980515339464,
     0.855017856687341], [0.05500000000000001, 0.505], [0.023180194846605363, 0.15498214331265903],
     [0.01,
     0.01], [0.023180194846605363, 0.15498214331265897], [0.05500000000000002, 0.5050000000000001],
     [0.08681980515339469, 0.8550178566873414], [0.10000000000000006, 1.0000000000000004],
     [0.0868198051533947, 0.8550178566873415]]),
    ("LinearLR", {"total_iters": 4}, [[0.03333333333333333, 0.3333333333333333], [0.05, 0.5],
     [0.06666666666666668, 0.6666666666666667], [0.08333333333333334, 0.8333333333333335], [0.1,
     1.0000000000000002], [0.1, 1.0000000000000002], [0.1, 1.0000000000000002], [0.1,
     1.0000000000000002],
     [0.1, 1.0000000000000002], [0.1, 1.0000000000000002]]),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 6}, [[0.1, 1.0],
     [0.085, 0.85],
     [0.07, 0.7], [0.05500000000000001, 0.5499999999999999], [0.04000000000000001,
     0.39999999999999997],
     [0.025000000000000005, 0.24999999999999997], [0.010000000000000002, 0.09999999999999999],
     [0.010000000000000002, 0.09999999999999999], [0.010000000000000002, 0.09999999999999999],
     [0.010000000000000002, 0.09999999999999999]]),
    ("ConstantLR", {"factor": 0.5, "total_iters": 3}, [[0.05, 0.5], [0.05, 0.5], [0.05, 0.5],
     [0.1, 1.0],
     [0.1, 1.0], [0.1, 1.0], [0.1, 1.0], [0.1, 1.0], [0.1, 1.0], [0.1, 1.0]]),
]
# fmt: on


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
        (
            "StepLR",
            {"step_size": 3, "gamma": 0.5},
            [0.05, 0.025, 0.025, 0.025, 0.0125],
            [0.05, 0.025],
        ),
        (
            "ExponentialLR",
            {"gamma": 0.9},
            [
                0.05,
                0.045000000000000005,
                0.04050000000000001,
                0.03645000000000001,
                0.03280500000000001,
            ],
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
    assert [
        rate for (rate,) in run(optimizer, make(optimizer, last_epoch=1, **arguments), 5)
    ] == resumed
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
    first, second = (
        lr_scheduler.ExponentialLR(optimizer, 0.9),
        lr_scheduler.StepLR(optimizer, 2, 0.1),
    )
    for _ in range(2):
        optimizer.step()
        first.step()
        second.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.081)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"patience": 1, "factor": 0.5},
            [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.0125],
        ),
        (
            {
                "patience": 0,
                "mode": "max",
                "threshold": 0.5,
                "threshold_mode": "abs",
                "cooldown": 1,
            },
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


def test_a_step_that_the_program_has_put_in_place_stays():
    p = torch.nn.Parameter(torch.ones(2))
    optimizer, calls = torch.optim.SGD([p], lr=0.1), []
    torch.optim.lr_scheduler.StepLR(optimizer, 3)
    plain = optimizer.step

    def step():
        calls.append(1)
        plain()

    optimizer.step = step
    for _ in range(3):
        optimizer.step()
    assert len(calls) == 3


def test_another_optimizer_takes_the_place_of_the_first():
    first, second = (torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0) for _ in "ab")
    scheduler = lr_scheduler.StepLR(first, 1, 0.5)
    scheduler.optimizer = second
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        scheduler.step()
    assert second.param_groups[0]["lr"] == 0.5 and first.param_groups[0]["lr"] == 1.0


def test_states_are_in_pytorchs_order():
    S = torch.optim.lr_scheduler
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0, momentum=0.9)
    inner = [S.StepLR(optimizer, 2), S.StepLR(optimizer, 3)]
    ends = {
        S.LambdaLR(optimizer, lambda epoch: 1.0): "lr_lambdas",
        S.MultiplicativeLR(optimizer, lambda epoch: 1.0): "lr_lambdas",
        S.CyclicLR(optimizer, 0.1, 1.0): "_scale_fn_custom",
        S.SequentialLR(optimizer, inner, [2]): "_schedulers",
        S.ChainedScheduler(inner): "_schedulers",
    }
    for scheduler, last in ends.items():
        assert list(scheduler.state_dict())[-1] == last
    plateau = S.ReduceLROnPlateau(optimizer)
    assert list(plateau.state_dict())[:3] == ["factor", "default_min_lr", "min_lrs"]
