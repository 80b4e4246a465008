"""Adam, AdamW, Adagrad, RMSprop, Adadelta: PyTorch's record, saving, messages."""

import copy

import golden
import pytest

import microtorch as torch
from microtorch import nn, optim


def steps(name, count=6, **settings):
    """Parameters after each of some steps on a bumpy function, then the state."""

    def case(torch):
        p = torch.nn.Parameter(torch.randn(3, 5))
        q = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
        unused = torch.nn.Parameter(torch.ones(2))
        optimizer = getattr(torch.optim, name)([p, q, unused], **settings)
        found = []
        for i in range(count):
            optimizer.zero_grad()
            (
                (p * 1.5).sin().sum() + (p**2).sum() * 0.3 * (i % 3) + (q**3).sum() * (i - 2)
            ).backward()
            optimizer.step()
            found += [p.detach().clone(), q.detach().clone()]
        state = [optimizer.state[p][k] for k in sorted(optimizer.state[p])]
        assert unused.tolist() == [1.0, 1.0] and (name == "Adagrad" or not optimizer.state[unused])
        return found + [torch.as_tensor(v) for v in state]

    return case


CASES = {
    "Adam": steps("Adam", lr=0.1),
    "Adam settings": steps("Adam", lr=0.05, betas=(0.3, 0.9), eps=0.01, weight_decay=0.1,
     maximize=True),
    "Adam amsgrad": steps("Adam", lr=0.1, amsgrad=True, betas=(0.9, 0.5)),
    "AdamW": steps("AdamW", lr=0.1),
    "AdamW settings": steps("AdamW", lr=0.1, weight_decay=0.3, amsgrad=True, maximize=True),
    "Adagrad": steps("Adagrad"),
    "Adagrad settings": steps("Adagrad", lr=0.2, lr_decay=0.1, weight_decay=0.1,
     initial_accumulator_value=0.5, maximize=True),
    "RMSprop": steps("RMSprop"),
    "RMSprop settings": steps("RMSprop", lr=0.02, alpha=0.7, weight_decay=0.1, momentum=0.8,
     centered=True),
    "RMSprop centered": steps("RMSprop", centered=True, maximize=True),
    "Adadelta": steps("Adadelta"),
    "Adadelta settings": steps("Adadelta", lr=0.5, rho=0.7, eps=0.001, weight_decay=0.1,
     maximize=True),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_steps_are_pytorchs(name):
    golden.check(f"test_adam:{name}", CASES[name])


def test_state_is_pytorchs_and_survives_saving():
    p = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = optim.Adam([p], lr=0.1, amsgrad=True)
    (p**2).sum().backward()
    optimizer.step()
    assert sorted(optimizer.state[p]) == ["exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"]
    assert (
        optimizer.state[p]["step"].item() == 1.0
        and optimizer.state[p]["step"].dtype is torch.float32
    )
    saved, value = copy.deepcopy(optimizer.state_dict()), p.detach().clone()
    optimizer.step()
    once = p.detach().clone()
    with torch.no_grad():
        p.copy_(value)
    other = optim.Adam([p], lr=0.5)
    other.load_state_dict(saved)
    other.step()
    assert torch.equal(p, once)


def test_first_step_has_the_size_of_lr():
    p = nn.Parameter(torch.tensor([3.0, -0.001, 100.0]))
    optimizer = optim.Adam([p], lr=0.25)
    (p * p).sum().backward()
    before = p.detach().clone()
    optimizer.step()
    assert torch.allclose((p - before).abs(), torch.full((3,), 0.25), rtol=1e-4)


def test_step_is_seen_as_a_write_and_takes_a_closure():
    p = nn.Parameter(torch.tensor([1.0, 2.0]))
    y = p * p
    for optimizer in (
        optim.AdamW([p]),
        optim.RMSprop([p]),
        optim.Adagrad([p]),
        optim.Adadelta([p]),
    ):

        def closure(optimizer=optimizer):
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss

        with torch.no_grad():
            before = (p * p).sum().item()
            assert optimizer.step(closure).item() == before
    with pytest.raises(RuntimeError, match=r"in-?place"):
        y.sum().backward()


def test_schedules_change_the_rate():
    p = nn.Parameter(torch.ones(1))
    optimizer = optim.Adam([p], lr=0.1)
    schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.1)
    p.grad = torch.ones(1)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)
    before = p.item()
    optimizer.step()
    assert before - p.item() == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda p: optim.Adam(p, lr=-1), "Invalid learning rate: -1"),
        (lambda p: optim.Adam(p, betas=(1.0, 0.9)), "Invalid beta parameter at index 0: 1.0"),
        (lambda p: optim.Adam(p, eps=-1), "Invalid epsilon value: -1"),
        (lambda p: optim.AdamW(p, weight_decay=-1), "Invalid weight_decay value: -1"),
        (lambda p: optim.RMSprop(p, momentum=-1), "Invalid momentum value: -1"),
        (lambda p: optim.Adadelta(p, rho=2), "Invalid rho value: 2"),
        (lambda p: optim.Adagrad(p, lr_decay=-1), "Invalid lr_decay value: -1"),
    ],
)
def test_messages(call, text):
    with pytest.raises(ValueError, match=text):
        call([nn.Parameter(torch.ones(1))])
