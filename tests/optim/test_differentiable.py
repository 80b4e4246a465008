"""differentiable=True: gradients flow through steps, as finite differences say they should."""
import pytest

import microtorch as torch
from microtorch import optim

CASES = [
    ("SGD", {}), ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.5, "dampening": 0.3, "maximize": True}),
    ("Adam", {}), ("Adam", {"amsgrad": True, "weight_decay": 0.1}), ("Adam", {"maximize": True}),
    ("AdamW", {"amsgrad": True}), ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1}),
    ("RMSprop", {}), ("RMSprop", {"centered": True, "eps": 0.1}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1, "eps": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}), ("Adamax", {"weight_decay": 0.1}), ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}), ("RAdam", {}),
    ("ASGD", {"weight_decay": 0.1}), ("Rprop", {}),
]  # fmt: skip
COMPOSED = ("Adamax", "NAdam", "RAdam", "ASGD", "Rprop")


def stepped(name, settings, steps, w, goal, differentiable=True):
    """w after some steps towards a goal, whose gradient is computed apart."""
    p = w.clone()
    if not differentiable:
        p = p.detach().requires_grad_()
    optimizer = getattr(optim, name)([p], differentiable=differentiable, **settings)
    for _ in range(steps):
        q = (p if differentiable else p.detach().requires_grad_()).clone()
        loss = ((q - goal) ** 2 * (q * q + 1)).sum()
        (p.grad,) = torch.autograd.grad(loss, q, create_graph=differentiable)
        optimizer.step()
    return p


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize("steps", [1, 3])
def test_the_gradient_of_steps(name, settings, steps):
    w = torch.tensor([0.5, -0.4, 0.3], dtype=torch.float64, requires_grad=True)
    goal = torch.tensor([1.0, 0.2, 0.6], dtype=torch.float64, requires_grad=True)
    lr = torch.tensor(0.01, dtype=torch.float64, requires_grad=name not in COMPOSED)

    def result(w, goal, lr):
        return (stepped(name, {**settings, "lr": lr}, steps, w, goal) ** 3).sum()

    plain = stepped(name, {**settings, "lr": 0.01}, steps, w, goal.detach(), False)
    assert torch.allclose(result(w, goal, lr), (plain**3).sum(), rtol=1e-6)
    assert torch.autograd.gradcheck(result, (w, goal, lr), atol=1e-4, rtol=1e-3)


def test_what_cannot_be_recorded_is_refused():
    leaf = torch.ones(2, requires_grad=True)
    for name in ("SGD", "Adam", "NAdam"):
        optimizer = getattr(optim, name)([leaf], lr=0.1, differentiable=True)
        leaf.grad = torch.ones(2)
        with pytest.raises(RuntimeError, match="leaf Variable"):
            optimizer.step()
    p = torch.ones(2, requires_grad=True).clone()
    p.grad = torch.ones(2)
    rate = torch.tensor(0.1, requires_grad=True)
    with pytest.raises(NotImplementedError, match="learning rate"):
        optim.NAdam([p], lr=rate, differentiable=True).step()
    z = torch.ones(2, dtype=torch.complex64, requires_grad=True).clone()
    z.grad = torch.ones(2, dtype=torch.complex64)
    for name in ("SGD", "NAdam"):
        with pytest.raises(NotImplementedError, match="real parameters"):
            getattr(optim, name)([z], lr=0.1, differentiable=True).step()


def test_settings_that_are_tensors_and_what_stays():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    decay = torch.tensor(0.5, requires_grad=True)
    p = w.clone()
    p.grad = g = torch.tensor([3.0, 4.0])
    optim.SGD([p], lr=0.1, weight_decay=decay, differentiable=True).step()
    assert p.grad is g
    p.sum().backward()
    assert torch.allclose(decay.grad, torch.tensor(-0.3))
    assert torch.allclose(w.grad, torch.tensor([0.95, 0.95]))
