"""Layers, losses, optimizers and samplers that compute with Python's numbers between: recorded, and
equal to what they are as they are written; and conditions on data, which a program asks again."""

import warnings

import numpy as np
import pytest

import microtorch as torch
from microtorch import distributions, nn, optim
from microtorch.backends import current, use
from microtorch.nn import functional as F
from microtorch.optim import lr_scheduler
from microtorch.utils.checkpoint import checkpoint


def numbers(x):
    if isinstance(x, torch.Tensor):
        return [x.detach().numpy().copy()]
    return [n for y in x for n in numbers(y)]


def alike(make, calls=5, mode="eager", programs: int | None = 1):
    """make() -> (function, arguments of call i). The program leaves what the function leaves."""
    found = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend=mode)):
        torch.manual_seed(0)
        function, arguments = make()
        function = wrap(function)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            found.append([numbers(function(*arguments(i))) for i in range(calls)])
    assert function.count == (programs or function.count) > 0 and not function.reason
    exact = mode == "eager"
    for want, got in zip(*found, strict=True):
        for x, y in zip(want, got, strict=True):
            assert x.dtype == y.dtype and x.shape == y.shape
            np.testing.assert_allclose(y, x, *((0, 0) if exact else (1e-4, 1e-6)))


def layer(build, *shapes, of=torch.randn):
    def make():
        module = build()

        def step(*xs):
            out = module(*xs)
            out = out[0] if isinstance(out, tuple) else out
            (out * out).sum().backward()
            with_grad = [p for p in module.parameters() if p.grad is not None]
            grads = [p.grad.clone() for p in with_grad]
            module.zero_grad()
            return [out.detach().clone(), *grads, *[b.clone() for b in module.buffers()]]

        return step, lambda i: [of(*s) if isinstance(s, tuple) else s.clone() for s in shapes]

    return make


class Unpooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        out, places = nn.MaxPool2d(2, return_indices=True)(x * self.scale)
        return nn.MaxUnpool2d(2)(out, places)


class Scaled(nn.Module):
    def __init__(self, *inner):
        super().__init__()
        self.scale, self.inner = nn.Parameter(torch.ones(1)), nn.Sequential(*inner)

    def forward(self, x):
        return self.inner(x * self.scale)


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 2, batch_first=True, bidirectional=True)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, [4, 3, 1], batch_first=True)
        return nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]


def tokens(*shape):
    return torch.randint(0, 6, shape)


LAYERS = {
    "AdaptiveMaxPool2d": layer(lambda: Scaled(nn.AdaptiveMaxPool2d(2)), (1, 2, 5, 5)),
    "MaxPool3d": layer(lambda: Scaled(nn.MaxPool3d(2)), (1, 2, 4, 4, 4)),
    "FractionalMaxPool2d": layer(
        lambda: Scaled(nn.FractionalMaxPool2d(2, output_size=3)), (1, 2, 6, 6)
    ),
    "MaxUnpool2d": layer(Unpooled, (1, 2, 4, 4)),
    "RReLU": layer(lambda: Scaled(nn.RReLU()), (3, 4)),
    "EmbeddingBag": layer(lambda: nn.EmbeddingBag(6, 3, padding_idx=1), (2, 4), of=tokens),
    "EmbeddingBag max": layer(lambda: nn.EmbeddingBag(6, 3, mode="max"), (2, 4), of=tokens),
    "max_norm": layer(lambda: nn.Embedding(6, 3, max_norm=1.0), (2, 4), of=tokens),
    "by frequency": layer(lambda: nn.Embedding(6, 3, scale_grad_by_freq=True), (2, 4), of=tokens),
    "packed LSTM": layer(Packed, (3, 4, 3)),
    "CTC": layer(lambda: Scaled(nn.LogSoftmax(-1), Ctc()), (5, 2, 4)),
}


class Ctc(nn.Module):
    def forward(self, x):
        return F.ctc_loss(x, torch.arange(4).reshape(2, 2) % 3 + 1, (5, 4), (2, 1))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name):
    alike(LAYERS[name])


def training(build, loss=F.mse_loss, schedule=None, after=None):
    def make():
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        optimizer = build(net.parameters())
        scheduler = schedule and schedule(optimizer)

        def step(x, y):
            value = loss(net(x), y)
            optimizer.zero_grad()
            value.backward()
            if after:
                after(net)
            optimizer.step()
            if scheduler:
                scheduler.step()
            return [value.detach(), *[p.detach().clone() for p in net.parameters()]]

        return step, lambda i: (torch.randn(4, 3), torch.rand(4, 2))

    return make


@pytest.mark.parametrize(
    "name", "ASGD Adadelta Adafactor Adagrad Adamax NAdam RAdam RMSprop Rprop SGD AdamW".split()
)
def test_an_optimizer_and_its_rate(name):
    def build(parameters):
        rate = torch.tensor(0.1) if name in ("SGD", "NAdam") else 0.1
        return getattr(optim, name)(parameters, lr=rate)

    alike(training(build, schedule=lambda o: lr_scheduler.ExponentialLR(o, 0.9)), 6)


SCHEDULES = {
    "step": lambda o: lr_scheduler.StepLR(o, 2),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    "sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.9)], [4]
    ),
    "chain": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.CosineAnnealingLR(o, 3), lr_scheduler.LambdaLR(o, lambda e: 0.9**e)]
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_a_schedule_inside_the_step(name, kind):
    settings = {"momentum": 0.9} if kind == "SGD" else {}
    build = lambda ps: getattr(optim, kind)(ps, lr=0.1, **settings)  # noqa: E731
    alike(training(build, schedule=SCHEDULES[name]), 8)


@pytest.mark.parametrize("kind", ["Adamax", "NAdam", "RAdam", "Muon"])
def test_betas_and_a_momentum_that_a_schedule_moves(kind):
    def build(parameters):
        return getattr(optim, kind)([p for p in parameters if kind != "Muon" or p.dim() == 2])

    cycle = lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=3)  # noqa: E731
    alike(training(build, schedule=cycle), 8)


def test_a_gradient_that_is_none_in_some_calls_makes_two_programs():
    def make():
        p = nn.Parameter(torch.ones(3))
        optimizer = optim.Adam([p], lr=0.1)

        def micro(x, last):
            (p * x).square().sum().backward()
            if last:
                optimizer.step()
                optimizer.zero_grad()
            return [p.detach().clone()]

        return micro, lambda i: (torch.randn(3), i % 3 == 2)

    alike(make, 18, programs=3)


def test_a_step_that_reads_the_schedule_that_it_moves_runs_as_it_is_written():
    p = nn.Parameter(torch.ones(2))
    optimizer = optim.SGD([p], lr=0.1)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.9)

    def step(x):
        ((x * p).sum() * (scheduler.last_epoch + 1)).backward()
        optimizer.step()
        scheduler.step()
        return p.detach().clone()

    with pytest.warns(UserWarning, match="'last_epoch' of ExponentialLR"):
        compiled = torch.compile(step)
        for _ in range(4):
            compiled(torch.ones(2))


@pytest.mark.parametrize("mode", ["eager", "inductor"])
def test_a_condition_of_the_library_is_asked_again(mode):
    """What was done before it is taken back; then the function runs as it is written."""
    finals = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend=mode)):
        torch.manual_seed(0)
        count, weight, norm = torch.zeros(1), nn.Parameter(torch.ones(2)), nn.BatchNorm1d(2)
        optimizer = optim.SGD([weight], lr=0.1)

        def step(x, y):
            count.add_(1)  # noqa: B023
            noise = F.dropout(norm(x), 0.5) * weight  # noqa: B023
            loss = F.binary_cross_entropy(torch.sigmoid(noise), y)
            optimizer.zero_grad()  # noqa: B023
            loss.backward()
            nn.utils.clip_grad_norm_([weight], 1.0, error_if_nonfinite=True)  # noqa: B023
            optimizer.step()  # noqa: B023
            return loss

        step = wrap(step)
        said = []
        for i in range(9):
            x, y = torch.randn(4, 2), torch.rand(4, 2) + 2 * (i in (4, 7))
            try:
                said.append(step(x, y).item())
            except RuntimeError as e:
                said.append(str(e).split("\n")[0])
        state = [count, weight, norm.running_mean, torch.rand(2)]
        finals.append((said, [t.detach().clone() for t in state]))
    assert step.count == 1 and not step.reason
    (a, before), (b, after) = finals
    assert [x for x in a if isinstance(x, str)] == [x for x in b if isinstance(x, str)]
    assert a[4] == "all elements of target should be between 0 and 1"
    np.testing.assert_allclose([x for x in a if not isinstance(x, str)],
                               [x for x in b if not isinstance(x, str)], 1e-5)  # fmt: skip
    for x, y in zip(before, after, strict=True):
        np.testing.assert_allclose(y.numpy(), x.numpy(), 1e-5)


def test_lengths_that_decide_on_shapes_make_a_program_each():
    lstm = nn.LSTM(3, 2)

    @torch.compile
    def last(x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(lstm(packed)[0])[0].detach()

    x = torch.randn(4, 2, 3)
    for lengths in ([4, 2], [3, 1], [4, 2]):
        want = last.function(x, torch.tensor(lengths))
        for _ in range(4):
            assert torch.allclose(last(x, torch.tensor(lengths)), want, atol=1e-6)
    assert last.count == 2 and not last.reason


DISTRIBUTIONS = {
    "Beta": lambda a: distributions.Beta(a.exp(), 2.0),
    "Dirichlet": lambda a: distributions.Dirichlet(a.exp()),
    "Gamma": lambda a: distributions.Gamma(a.exp(), a.exp()),
    "Poisson": lambda a: distributions.Poisson(a.exp()),
    "VonMises": lambda a: distributions.VonMises(a, a.exp()),
    "Weibull": lambda a: distributions.Weibull(a.exp(), a.exp()),
    "MultivariateNormal": lambda a: distributions.MultivariateNormal(a, 2 * torch.eye(2)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_sample_and_its_log_probability(name):
    def step(a):
        a = a.detach().requires_grad_()
        d = DISTRIBUTIONS[name](a)
        x = d.rsample() if d.has_rsample else d.sample()
        out = d.log_prob(x)
        (out.sum() + x.sum()).backward()
        return [x.detach().clone(), out.detach(), a.grad.clone()]

    alike(lambda: (step, lambda i: (torch.randn(3, 2),)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "autocast"])
def test_sixteen_bits_and_layers_whose_derivatives_come_together(dtype):
    """The gradients of each call, not those of the recorded one."""
    kind = torch.float32 if dtype == "autocast" else getattr(torch, dtype)

    def make():
        net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)).to(kind)
        optimizer = optim.SGD(net.parameters(), lr=0.1)

        def step(x, y):
            with torch.autocast("cpu", enabled=dtype == "autocast"):
                loss = ((net(x) - y) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return [loss.float(), *[p.detach().float().clone() for p in net.parameters()]]

        return step, lambda i: (torch.randn(4, 3).to(kind), torch.randn(4, 2).to(kind))

    alike(make, 6)


def test_a_checkpoint_and_a_scaler():
    def make():
        net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.3), nn.Linear(4, 2))
        optimizer, scaler = optim.SGD(net.parameters(), lr=0.1), torch.amp.GradScaler("cpu")

        def step(x):
            loss = checkpoint(net, x, use_reentrant=False).pow(2).mean()
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return [loss.detach(), *[p.detach().clone() for p in net.parameters()]]

        return step, lambda i: (torch.randn(4, 3),)

    alike(make, 6)


def scaled(too_large=(), before=lambda i, scaler: None, clip=False, set_to_none=True, **options):
    """A step with a scaler and two optimizers, whose calls ``too_large`` give infinite gradients to
    the second of them; ``before``: what happens to the scaler between the calls."""

    def make():
        nets = nn.Linear(3, 2), nn.Linear(3, 2)
        first = optim.SGD(nets[0].parameters(), lr=0.1, momentum=0.9)
        optimizers = first, optim.Adam(nets[1].parameters())
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2, **options)

        def step(x):
            loss = nets[0](torch.ones(4, 3)).pow(2).mean() + nets[1](x).pow(2).mean()
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none)
            scaled = scaler.scale(loss)
            scaled.backward()
            if clip:
                scaler.unscale_(optimizers[0])
                nn.utils.clip_grad_norm_(nets[0].parameters(), 0.1)
            for optimizer in optimizers:
                scaler.step(optimizer)
            scaler.update()
            grads = [p.grad.clone() for net in nets for p in net.parameters()]
            return [*grads, *[p.detach().clone() for net in nets for p in net.parameters()]]

        def arguments(i):
            before(i, scaler)
            states.append((scaler.state_dict(), scaler._scale and scaler._scale.dtype))
            return (torch.ones(4, 3) * (torch.inf if i in too_large else i),)

        return step, arguments

    states = []
    return make, states


def of_another_scale(i, scaler):
    if i == 6:
        scaler.update(3.0)
    if i == 9:
        scaler.load_state_dict({**scaler.state_dict(), "scale": 2.5, "_growth_tracker": 1})
    if i == 11:
        scaler.update(torch.tensor(1.5))


@pytest.mark.parametrize("mode", ["eager", "inductor"])
@pytest.mark.parametrize(
    "options",
    [{}, {"clip": True}, {"growth_factor": 1.3}, {"before": of_another_scale},
     {"too_large": (6, 7, 12)}, {"too_large": (8, 9), "clip": True, "set_to_none": False}],
)  # fmt: skip
def test_one_program_for_every_scale(options, mode):
    """And one for the steps that are left out, once two of them were."""
    make, states = scaled(**options)
    alike(make, 24, mode, programs=1 + (len(options.get("too_large", ())) > 1))
    assert states[:24] == states[24:] and len({s["scale"] for s, _ in states}) > 5


@pytest.mark.parametrize("too_large", [(1,), (2,), (0, 1, 2), (1, 3, 5, 7)])
def test_steps_left_out_while_calls_are_recorded(too_large):
    """That is another way through the function: whether it has a program or not, it is right."""
    make, states = scaled(too_large)
    alike(make, 20, programs=None)
    assert states[:20] == states[20:]


@pytest.mark.parametrize(
    "inside, too_large",
    [(True, (5, 6, 9)), (False, (5, 6)), (False, (0, 1, 2)), (False, (0, 1, 2, 9))],
)
def test_a_schedule_beside_steps_that_are_left_out(inside, too_large):
    """Then no step reads the rate, which the schedule changes; and until the first is made, the
    optimizer has a step of its own, which a schedule has put there."""

    def make():
        net = nn.Linear(3, 2)
        optimizer = optim.SGD(net.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        schedule = optim.lr_scheduler.StepLR(optimizer, 1, 0.9)

        def step(x):
            loss = net(x).pow(2).mean()
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            if inside:
                schedule.step()
            return [p.detach().clone() for p in net.parameters()]

        def arguments(i):
            if i and not inside:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of a schedule before the first step
                    schedule.step()
            return (torch.ones(4, 3) * (torch.inf if i in too_large else 1),)

        return step, arguments

    alike(make, 14, programs=1 + inside)


STATEFUL = {
    "Adadelta": {}, "Adafactor": {}, "Adagrad": {}, "Adam": {"amsgrad": True}, "AdamW": {},
    "Adamax": {}, "ASGD": {}, "NAdam": {}, "RAdam": {}, "RMSprop": {"momentum": 0.9},
    "Rprop": {}, "SGD": {"momentum": 0.9},
}  # fmt: skip


@pytest.mark.parametrize("mode", ["eager", "inductor"])
@pytest.mark.parametrize("name", STATEFUL)
def test_an_optimizer_whose_step_is_taken_back_has_its_state_again(name, mode):
    """A condition that comes after it fails, and the function runs as it is written."""
    found = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend=mode)):
        p = nn.Parameter(torch.tensor([[1.0, -2.0, 0.0], [0.5, 1.0, 0.0]]))
        optimizer, out = getattr(optim, name)([p], lr=0.1, **STATEFUL[name]), []

        @wrap
        def step(x, chances, p=p, optimizer=optimizer):
            loss = (p * x).pow(2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return F.binary_cross_entropy(chances, torch.ones(2)) + loss

        for i in range(12):  # a gradient of zeros in the calls that are recorded
            try:
                step(torch.ones(3) * (i > 4), torch.tensor([0.5, 2.0 if i in (7, 10) else 0.5]))
            except RuntimeError:
                assert i in (7, 10)
            out.append(p.detach().clone())
        found.append(out)
    assert step.count == 1 and not step.reason
    for want, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, *((0, 0) if mode == "eager" else (1e-4, 1e-6)))


def test_a_gradient_that_appears_on_a_weight_that_no_step_reads():
    def make():
        used, other = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
        optimizer = optim.SGD([used, other], lr=0.1)

        def step(x):
            optimizer.zero_grad()
            (x * used).sum().backward()
            if other.grad is None:
                used.grad.mul_(2)
            optimizer.step()
            return [p.detach().clone() for p in (used, other)]

        def arguments(i):
            if i % 4 == 3:
                other.grad = torch.ones(2)
            return (torch.ones(2),)

        return step, arguments

    alike(make, 12, programs=2)


def test_what_numpy_decomposes_and_counts():
    def step(x):
        x = x.detach().requires_grad_()
        q, r = torch.linalg.qr(x)
        out = torch.linalg.solve(x, torch.ones(3)).sum() + r.diagonal().prod()
        (out + torch.logdet(x @ x.T)).backward()
        flat = x.detach().reshape(-1)
        edges = flat.sort()[0]
        return [q.detach(), x.grad.clone(), torch.histc(flat, 4), torch.bucketize(flat, edges)]

    alike(lambda: (step, lambda i: (torch.randn(3, 3) + 3 * torch.eye(3),)))


def test_numpys_kernels_get_the_rate_as_a_plain_number():
    """As a number of a class of its own it would be a float64 to numpy, which rounds otherwise."""
    before = current()
    use("reference")
    try:
        alike(training(lambda ps: optim.SGD(ps, lr=0.1)))
    finally:
        use(before)


def spd(x):
    return x @ x.t() + torch.eye(3)


BY_DATA = {
    "mode": lambda x: x.round().mode(0).values,
    "nanmedian": lambda x: torch.where(x > 1, torch.nan, x).nanmedian(),
    "nansum": lambda x: torch.where(x > 2, torch.nan, x).nansum(),
    "masked_scatter": lambda x: x.masked_scatter(x > 0, (x * 2).flatten()),
    "index_fill": lambda x: x.index_fill(0, torch.isin(x[0], x[1]).long()[:1], 0.5),
    "isin": lambda x: torch.isin(x.round(), torch.ones(1)) * x,
    "nonzero_static": lambda x: (x > 0).nonzero_static(size=4) * x.sum(),
    "cov": lambda x: x.cov(aweights=x[0].abs()),
    "determinant": lambda x: torch.linalg.det(spd(x)) + torch.linalg.slogdet(spd(x))[1],
    "cholesky": lambda x: torch.linalg.cholesky(spd(x)),
    "solve": lambda x: torch.linalg.solve(spd(x), x),
    "adaptive softmax": lambda x: ADAPTIVE(x, (x[0] > 0).long() * 4 + 1).output,
    "Wishart": lambda x: distributions.Wishart(x[0, 0] + 9, torch.eye(3)).log_prob(spd(x)),
}
ADAPTIVE = nn.AdaptiveLogSoftmaxWithLoss(3, 6, [2, 4], div_value=1.0)


@pytest.mark.parametrize("name", BY_DATA)
def test_what_chooses_by_data(name):
    """... is recorded all the same, with a backward from outside."""
    f = BY_DATA[name]
    compiled = torch.compile(f, backend="eager")
    programs = 0
    for i in range(5):
        x = torch.tensor(np.random.default_rng(i + 3).standard_normal((3, 3)).astype("f4"))
        found = []
        for function in (f, compiled):
            y = x.clone().requires_grad_()
            out = function(y)
            if out.requires_grad:
                out.sum().backward()
            found.append([out.detach().numpy(), 0 if y.grad is None else y.grad.numpy()])
        for want, got in zip(*found, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
        programs = max(programs, compiled.count)
    assert not compiled.reason and programs
