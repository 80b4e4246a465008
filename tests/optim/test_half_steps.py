"""Steps on float16 and bfloat16 are PyTorch's rows of operations, each of which rounds once."""

import pytest

import microtorch as torch

LR, WD, MU, EPS = 0.1, 0.03, 0.9, 1e-8


def sgd(p, g, s):
    g = g.add(p, alpha=WD)
    s["v"] = s["v"].mul(MU).add(g, alpha=1 - 0.3) if "v" in s else g
    p.add_(s["v"], alpha=-LR)


def nesterov(p, g, s):
    s["v"] = s["v"].mul(MU).add(g) if "v" in s else g
    p.add_(g.add(s["v"], alpha=MU), alpha=-LR)


def adam(p, g, s, decoupled=False):
    m, v = s.get("m", torch.zeros_like(p)), s.get("v", torch.zeros_like(p))
    s["t"] = t = s.get("t", 0) + 1
    if decoupled:
        p.mul_(1 - LR * WD)
    else:
        g = g.add(p, alpha=WD)
    s["m"] = m = m.lerp(g, 1 - 0.8)
    s["v"] = v = v.mul(0.99).addcmul(g, g, value=1 - 0.99)
    denominator = v.sqrt().div((1 - 0.99**t) ** 0.5).add(EPS)
    p.addcdiv_(m, denominator, value=-LR / (1 - 0.8**t))


def adagrad(p, g, s):
    s["v"] = v = s.get("v", torch.zeros_like(p)).addcmul(g, g)
    p.addcdiv_(g, v.sqrt().add(EPS), value=-LR)


def rmsprop(p, g, s):
    s["v"] = v = s.get("v", torch.zeros_like(p)).mul(0.9).addcmul(g, g, value=1 - 0.9)
    s["m"] = m = s.get("m", torch.zeros_like(p)).lerp(g, 1 - 0.9)
    spread = v.addcmul(m, m, value=-1).sqrt().add(EPS)
    s["b"] = b = s.get("b", torch.zeros_like(p)).mul(0.5).addcdiv(g, spread)
    p.add_(b, alpha=-LR)


optim, BETAS = torch.optim, {"betas": (0.8, 0.99)}
STEPS = {
    "SGD": (sgd, optim.SGD, {"momentum": MU, "dampening": 0.3, "weight_decay": WD}),
    "Nesterov": (nesterov, optim.SGD, {"momentum": MU, "nesterov": True}),
    "Adam": (adam, optim.Adam, {**BETAS, "weight_decay": WD}),
    "AdamW": (lambda *a: adam(*a, decoupled=True), optim.AdamW, {**BETAS, "weight_decay": WD}),
    "Adagrad": (adagrad, optim.Adagrad, {"eps": EPS}),
    "RMSprop": (rmsprop, optim.RMSprop, {"alpha": 0.9, "centered": True, "momentum": 0.5}),
}


@pytest.mark.parametrize("size", [7, 64])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("by_hand", "make", "options"), STEPS.values(), ids=STEPS)
def test_a_step_is_a_row_of_operations(by_hand, make, options, dtype, size):
    p = torch.linspace(-1, 1, size).to(dtype)
    parameter, state = torch.nn.Parameter(p.clone()), {}
    optimizer = make([parameter], lr=LR, **options)
    for i in range(5):
        g = (torch.linspace(0.3, 2, size) * (i - 1) / 3).to(dtype)
        parameter.grad = g.clone()
        optimizer.step()
        by_hand(p, g, state)
        assert torch.equal(parameter.detach(), p), i
    kept = optimizer.state[parameter]
    for x in state.values():
        assert type(x) is int or any(torch.equal(x, y) for y in kept.values())


def test_a_factor_is_not_rounded():
    p = torch.nn.Parameter(torch.zeros(64, dtype=torch.bfloat16))
    optimizer = optim.SGD([p], lr=0.0, momentum=0.99)
    p.grad = torch.ones(64, dtype=torch.bfloat16)
    optimizer.step()
    p.grad = torch.zeros(64, dtype=torch.bfloat16)
    optimizer.step()
    v = optimizer.state[p]["momentum_buffer"]
    assert torch.equal(v, torch.full_like(v, 0.99)) and v[0] != torch.tensor(0.99).half()
