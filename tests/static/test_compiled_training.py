"""Steps of training that are compiled equal the steps, to the bit: optimizers, layers, errors."""


import pytest
from both_ways import XS, both, exact, net, plain, t

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

OPTIMIZERS = {
    "SGD": {"lr": 0.1}, "SGD momentum": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    "SGD nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True}, "Adam": {"lr": 0.01},
    "AdamW": {"lr": 0.01}, "Adam amsgrad": {"lr": 0.01, "amsgrad": True},
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_step(name):
    def make():
        model = net()
        optimizer = getattr(torch.optim, name.split()[0])(model.parameters(), **OPTIMIZERS[name])

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step, lambda: [*model.parameters(), *model.buffers()]

    calls = [lambda i=i: (t(16, 4, seed=i), torch.tensor([0, 1] * 8)) for i in range(9)]
    both(make, calls)


def test_a_number_that_is_returned_at_once():
    def make():
        w = t(4, 2).requires_grad_()

        def step(x):
            loss = (x @ w).square().mean()
            w.grad = None
            loss.backward()
            with torch.no_grad():
                w.sub_(0.1 * w.grad)
            return loss.item()

        return step, lambda: [w]

    both(make, [lambda x=x: x for x in XS])
    plain(lambda x: (x > 0).any().item(), *XS)
    plain(lambda x: x.sum().item() + 1, *XS, warns="item")
    plain(lambda x: [x.sum().item(), {"n": (x > 0).sum().item(), "x": (x * 2).abs()}], *XS)
    plain(lambda x: (True, (x > 9).any().item(), x[:, 0].min().item()), *XS)
    plain(lambda x: (x * 2, round(x.sum().item(), 3)), *XS, warns="item")
    plain(lambda x: (x * 2, x.sum().item() + 1), *XS, warns="item")
    plain(lambda x: {x.sum().item(): 1}, *XS, warns="item")
    plain(lambda x: (x.sum().item() > 0, 1), *XS, warns="item")
    plain(lambda x: (3, (x > -9).sum().item() // 4), *XS, warns="item")
    plain(lambda x: ((x > -9).sum(0)[0].item(), 3), *XS, warns="something else")

    def under_condition(x):
        if x.sum() > 1000:
            return x.max().item()
        return x.min().item()

    plain(under_condition, *XS, warns="condition")


class Model(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        if kind == "image":
            self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        elif kind == "attention":
            self.rows = nn.Embedding(9, 12)
            self.body = nn.TransformerEncoderLayer(12, 2, 16, dropout=0.2, batch_first=True)
        else:
            self.body = getattr(nn, kind)(12, 12, batch_first=True)
        self.out = nn.Linear(12, 3)

    def forward(self, x):
        if self.kind == "image":
            return self.out(self.body(x))
        if self.kind == "attention":
            return self.out(self.body(self.rows(x)).mean(1))
        return self.out(self.body(x)[0][:, -1])


@pytest.mark.parametrize("kind", ["image", "attention", "LSTM", "GRU", "RNN"])
def test_layers_that_are_more_than_an_op(kind):
    def make():
        model = Model(kind)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step, lambda: [*model.parameters()]

    def call(i):
        shape = {"image": (4, 1, 6, 6), "attention": (4, 5)}.get(kind, (4, 5, 12))
        x = t(*shape, seed=i)
        return (x * 4).abs().long().clamp(max=8) if kind == "attention" else x

    y = torch.tensor([0, 1, 2, 0])
    compiled = both(make, [lambda i=i: (call(i), y) for i in range(6)])
    if kind == "attention":
        with pytest.raises(IndexError, match="index out of range"):
            compiled(call(0) + 9, y)


def counted(i, count):
    count.add_(1)
    return F.embedding(i, TABLE) * count[:3] * torch.rand(1)


TABLE = torch.arange(15.0).reshape(5, 3)
AT_PLACES = {
    "embedding": lambda i, _: F.embedding(i, TABLE),
    "gather": lambda i, _: TABLE.gather(0, i[:, None]),
    "cross_entropy": lambda i, _: F.cross_entropy(TABLE[:2].mT[:2], i),
    "an index": lambda i, _: TABLE[i],
    "a write": lambda i, _: torch.zeros(5).index_put((i,), torch.ones(2)),
    "scatter_add": lambda i, count: count.scatter_add_(0, i, torch.ones(2)).sum(),
    "a division": lambda i, _: TABLE[0].long() // (9 - i[1:]),
    "after a write": counted,
}


@pytest.mark.parametrize("backend", ["eager", "inductor"])
@pytest.mark.parametrize("f", AT_PLACES.values(), ids=AT_PLACES)
def test_an_error_is_the_functions_own(f, backend):
    """Its words, its line, and what is left behind; and the program is used again."""
    def seen(f):
        torch.manual_seed(0)
        count, found = torch.zeros(5), []
        for i in [[0, 1]] * 4 + [[0, 9], [1, 0], [0, 9], [1, 1]]:
            try:
                got = f(torch.tensor(i), count).float().reshape(-1)
                found.append(got.round(decimals=4).tolist())
            except (IndexError, RuntimeError) as e:
                found.append((type(e), str(e)))
            found.append((count.tolist(), torch.rand(1).item()))
        return found

    compiled = torch.compile(f, backend=backend)
    assert seen(compiled) == (wanted := seen(f))
    assert sum(isinstance(x[0], type) for x in wanted) == 2 and compiled.count == 1


def test_gradients_accumulate_and_are_clipped():
    def make():
        model = nn.Linear(4, 2)

        def step(x):
            loss = (model(x) ** 2).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            return loss

        return step, lambda: [*model.parameters()]

    both(make, [lambda x=x: x for x in XS + XS])


def test_an_update_by_hand_and_a_gradient_penalty():
    def make():
        w = t(4, 2).requires_grad_()

        def step(x):
            loss = torch.tanh(x @ w).pow(2).mean()
            (g,) = torch.autograd.grad(loss, w, create_graph=True)
            (loss + g.pow(2).sum()).backward()
            with torch.no_grad():
                w.sub_(0.1 * w.grad)
            w.grad = None
            return loss.detach()

        return step, lambda: [w]

    both(make, [lambda x=x: x for x in XS + XS])


@pytest.mark.parametrize("value", ["lr", "weight_decay"])
def test_a_value_of_a_group_that_changes(value):
    def make():
        w = t(4, 2).requires_grad_()
        optimizer = torch.optim.SGD([w], lr=0.1)

        def step(x, rate):
            optimizer.param_groups[0][value] = rate
            optimizer.zero_grad()
            (x @ w).square().mean().backward()
            optimizer.step()

        return step, lambda: [w]

    both(make, [lambda x=x, r=r: (*x, r) for r in (0.1, 0.05) for x in XS], programs=2)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_schedule_outside_needs_no_other_program(name):
    schedules = []

    def make():
        w = t(4, 2).requires_grad_()
        optimizer = getattr(torch.optim, name)([w], lr=0.1)
        schedules[:] = [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]

        def step(x):
            optimizer.zero_grad()
            loss = (x @ w).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        return step, lambda: [w]

    calls = [lambda n=n, x=x: (n and schedules[0].step(), x)[1] for n, x in enumerate(XS * 3)]
    assert "['lr']" in both(make, calls).code


def test_a_scalar_or_a_queue_runs_as_it_is_written():
    from collections import deque

    a, queue = torch.Scalar(2.0), deque([1.0] * 20)
    plain(lambda x: x * a, *XS, warns="Scalar")
    plain(lambda x: x * queue[0], *XS, warns="deque")


def test_a_list_of_tensors_that_is_used_again_and_a_generator_of_its_own():
    given = [None]
    c = exact(lambda xs: xs[0] * 2)
    for (x,) in XS:
        given[0] = x
        assert torch.equal(c(given), x * 2)
    assert c.count == 1 and not c.reason
    generators = []

    def make():
        generators[:] = [torch.Generator().manual_seed(0)]
        return (lambda x: x + torch.rand(4, generator=generators[0])), lambda: []

    both(make, [lambda x=x: x for x in XS], warns="generator")


def test_slots_are_guarded():
    class Slotted:
        __slots__ = ("n",)

    s = Slotted()
    s.n = 1.0
    c = exact(lambda x: x * s.n)
    for n in (1.0, 2.0):
        s.n = n
        for (x,) in XS[:4]:
            assert torch.equal(c(x), x * n)
    assert c.count == 2
