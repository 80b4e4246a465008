"""SGD, and what all optimizers share; numbers recorded from PyTorch 2.13 (CPU)."""

import copy

import pytest

import microtorch as torch
from microtorch import nn, optim
from microtorch.optim import lr_scheduler

# fmt: off
# settings, parameter after five steps, momentum buffer
SGD = [
    ({"lr": 0.1}, [0.5592548, -3.5186205, -0.0212283], None),
    ({"lr": 0.1, "momentum": 0.9}, [-0.1633157, -6.711638, -0.8907748], [3.7526865, 22.3653183,
     4.3086433]),
    ({"lr": 0.1, "momentum": 0.9, "dampening": 0.3}, [0.086743, -5.1292329, -0.6056872], [2.7677305,
     12.804388, 3.1959939]),
    ({"lr": 0.05, "momentum": 0.8, "nesterov": True}, [0.3737001, -4.1551437, -0.247135],
     [3.0253024,
     12.6504192, 3.4613948]),
    ({"lr": 0.1, "weight_decay": 0.2}, [0.4760358, -3.1301904, -0.0472508], None),
    ({"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}, [-0.6387492, -11.8944082,
     -1.3204873], [4.0155158, 37.1413727, 4.4483795]),
    ({"lr": 0.1, "maximize": True}, [1.4017186, -1.205707, 1.1208161], None),
    ({"lr": 0.1, "momentum": 0.5, "maximize": True, "weight_decay": 0.1}, [1.5540569, -0.6332362,
     1.4638354], [-1.2379405, -2.6233757, -2.6842179]),
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
    assert state.get("momentum_buffer", torch.zeros(0)).tolist() == pytest.approx(
        buffer or [], rel=2e-6
    )


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
    optimizer = optim.SGD(
        [{"params": [parameter()]}, {"params": [parameter()], "lr": 3}], lr=0.1, momentum=0.9
    )
    assert repr(optimizer) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n"
        "    fused: None\n"
        "    lr: 0.1\n    maximize: False\n    momentum: 0.9\n    nesterov: False\n"
        "    weight_decay: 0\n"
        "\nParameter Group 1\n    dampening: 0\n    differentiable: False\n    foreach: None\n"
        "    fused: None\n"
        "    lr: 3\n    maximize: False\n    momentum: 0.9\n    nesterov: False\n"
        "    weight_decay: 0\n)"
    )


p = parameter(1.0, 2.0)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: optim.SGD([], lr=0.1), ValueError, "optimizer got an empty parameter list"),
        (
            lambda: optim.SGD(p, lr=0.1),
            TypeError,
            "iterable of Tensors or dicts, but got torch.FloatTensor",
        ),
        (lambda: optim.SGD([p * 2], lr=0.1), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: optim.SGD([3], lr=0.1), TypeError, "one of the params is int"),
        (lambda: optim.SGD([{"params": {p}}], lr=0.1), TypeError, "ordered collections"),
        (
            lambda: optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1),
            ValueError,
            "in more than one parameter group",
        ),
        (lambda: optim.SGD([p], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: optim.SGD([p], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda: optim.SGD([p], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda: optim.SGD([p], nesterov=True), ValueError, "Nesterov momentum requires"),
        (lambda: optim.SGD([p]).add_param_group(3), TypeError, "param_group must be a dict"),
        (
            lambda: optim.SGD([p]).load_state_dict({"state": {}, "param_groups": []}),
            ValueError,
            "different number",
        ),
        (
            lambda: optim.SGD([p]).load_state_dict({"state": {}, "param_groups": [{"params": []}]}),
            ValueError,
            "doesn't match the size of optimizer's group",
        ),
        (lambda: lr_scheduler.StepLR(3, 2), TypeError, "int is not an Optimizer"),
        (
            lambda: lr_scheduler.LambdaLR(optim.SGD([p]), [abs, abs]),
            ValueError,
            "Expected 1 lr_lambdas, but got 2",
        ),
        (
            lambda: lr_scheduler.ReduceLROnPlateau(optim.SGD([p]), factor=2),
            ValueError,
            "Factor should be < 1.0",
        ),
        (
            lambda: lr_scheduler.ReduceLROnPlateau(optim.SGD([p]), "x"),
            ValueError,
            "mode x is unknown",
        ),
        (
            lambda: lr_scheduler.LinearLR(optim.SGD([p]), start_factor=2),
            ValueError,
            "Starting multiplicative factor",
        ),
        (
            lambda: lr_scheduler.StepLR(optim.SGD([p]), 2, last_epoch=3),
            KeyError,
            "'initial_lr' is not specified",
        ),
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
    assert (
        state["param_groups"][0]["params"] == [0, 1] and state["param_groups"][0]["momentum"] == 0.9
    )
    c, d = parameter(1.0), nn.Parameter(b.detach().double())
    other = optim.SGD([c, d], lr=7.0)
    other.load_state_dict(copy.deepcopy(state))
    assert (
        other.param_groups[0]["lr"] == 0.1
        and other.state[d]["momentum_buffer"].dtype is torch.float64
    )
    d.grad, b.grad = torch.ones(2, dtype=torch.float64), torch.ones(2)
    optimizer.step()
    other.step()
    assert d.tolist() == pytest.approx(b.tolist())


def test_copy_of_an_optimizer():
    optimizer = optim.SGD([parameter(1.0)], lr=0.1, momentum=0.9)
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    twin = copy.deepcopy(optimizer)
    (q,) = twin.param_groups[0]["params"]
    q.grad = torch.ones(1)
    twin.step()
    assert q.item() == pytest.approx(0.9)
    assert optimizer.param_groups[0]["params"][0].item() == 1.0 and scheduler.last_epoch == 0


def test_a_state_of_an_older_version_has_fewer_settings_and_counts_steps_in_numbers():
    for kind in (torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adadelta, torch.optim.ASGD):
        p = torch.nn.Parameter(torch.ones(2))
        optimizer = kind([p])
        p.grad = torch.ones(2)
        optimizer.step()
        state = copy.deepcopy(optimizer.state_dict())
        state["state"][0]["step"] = 1
        for name in ("maximize", "foreach", "capturable", "differentiable", "fused"):
            state["param_groups"][0].pop(name, None)
        before = copy.deepcopy(p)
        optimizer.step()
        p.data, expected = before.data, p.data.clone()
        optimizer.load_state_dict(state)
        optimizer.step()
        assert torch.equal(p, expected) and optimizer.param_groups[0]["maximize"] is False
