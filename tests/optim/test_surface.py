"""What surrounds the steps: hooks, groups, saving, tensor rates, warnings, errors.

The same file runs under PyTorch by changing the import, but for two things that are meant to
differ: load_state_dict copies tensors (PyTorch shares them between both optimizers), and a hook
runs once where a subclass calls super().step() (PyTorch runs it twice).
"""

import copy
import io
import pickle
import warnings

import pytest

import microtorch as torch
from microtorch import nn, optim
from microtorch.optim import lr_scheduler as S
from microtorch.optim import swa_utils

NAMES = sorted(
    name
    for name in optim.__all__
    if name not in ("Optimizer", "SparseAdam", "lr_scheduler", "swa_utils")
)


def parameter(*shape):
    return nn.Parameter(torch.ones(shape or (2, 2)))


def stepped(name, p, count=1, **settings):
    optimizer = getattr(optim, name)([p], **settings)
    for i in range(count):
        run(optimizer, p, i)
    return optimizer


def run(optimizer, p, i=0):
    def closure():
        optimizer.zero_grad()
        loss = (p * p * (1 + i)).sum()
        loss.backward()
        return loss

    return optimizer.step(closure)


@pytest.mark.parametrize("name", NAMES)
def test_pickle_deepcopy_and_state_dict_continue_the_same_path(name):
    p = parameter()
    optimizer = stepped(name, p, 3)
    q = nn.Parameter(p.detach().clone())
    other = getattr(optim, name)([q], lr=0.9)
    state = copy.deepcopy(optimizer.state_dict())
    other.load_state_dict(optimizer.state_dict())
    copied, (r, third) = copy.deepcopy((optimizer, p)), pickle.loads(pickle.dumps((p, optimizer)))
    for o, x in ((optimizer, p), (other, q), (copied[0], copied[1]), (third, r)):
        run(o, x, 4)
    assert torch.equal(p, q) and torch.equal(p, copied[1]) and torch.equal(p, r)
    before = state["state"].get(0, {})
    assert sorted(before) == sorted(optimizer.state_dict()["state"].get(0, {}))
    assert state["param_groups"][0]["lr"] == other.param_groups[0]["lr"]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_gradient_stay(name):
    p, unused = parameter(), parameter()
    optimizer = getattr(optim, name)([p, unused])
    run(optimizer, p)
    assert not torch.equal(p, unused) and torch.equal(unused, torch.ones(2, 2))


@pytest.mark.parametrize("name", [n for n in NAMES if n != "LBFGS"])
def test_maximize_and_groups(name):
    ps = [parameter() for _ in range(3)]
    settings = {"maximize": True} if name != "Muon" else {}
    make = getattr(optim, name)
    up = (
        make([ps[0]], weight_decay=0.0, **settings)
        if name != "Rprop"
        else make([ps[0]], **settings)
    )
    groups = make([{"params": ps[1]}, {"params": [ps[2]], "lr": 0.0}])
    assert [g["lr"] for g in groups.param_groups] == [groups.defaults["lr"], 0.0]
    for p in ps:
        p.grad = torch.ones(2, 2)
    up.step()
    groups.step()
    assert settings == {} or (ps[0] > 1).all()
    assert (ps[1] < 1).all()
    assert name == "Rprop" or torch.equal(ps[2], torch.ones(2, 2))  # Rprop's lr is its first step


@pytest.mark.parametrize("name", NAMES)
def test_a_tensor_rate_is_the_number(name):
    p, q = parameter(), parameter()
    stepped(name, p, 3, lr=torch.tensor(0.125))
    stepped(name, q, 3, lr=0.125)
    assert torch.allclose(p, q, rtol=1e-6)
    with pytest.raises(ValueError, match="Tensor lr must be 1-element"):
        getattr(optim, name)([p], lr=torch.tensor([0.1, 0.1]))
    with pytest.raises(ValueError, match="-1"):
        getattr(optim, name)([p], lr=-1)


def test_lbfgs_refuses_what_it_cannot():
    p = parameter()
    with pytest.raises(TypeError, match="closure"):
        optim.LBFGS([p]).step()
    with pytest.raises(ValueError, match="per-parameter options"):
        optim.LBFGS([{"params": [p]}, {"params": [parameter()]}])
    two = optim.LBFGS([p])
    two.add_param_group({"params": [parameter()]})
    with pytest.raises(AssertionError, match="exactly one param_group"):
        two.step(lambda: p.sum())
    with pytest.raises(RuntimeError, match="only 'strong_wolfe'"):
        stepped("LBFGS", p, line_search_fn="armijo")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda p: optim.Adam(p, betas=(0.9, torch.tensor(0.9))), "both floats or both Tensors"),
        (lambda p: optim.Adam(p, lr=torch.tensor(0.1), foreach=True), "lr as a Tensor"),
        (lambda p: optim.NAdam(p, momentum_decay=-0.2), "Invalid momentum_decay value: -0.2"),
        (lambda p: optim.RAdam(p, betas=(0.9, 1.0)), "beta parameter at index 1: 1.0"),
        (lambda p: optim.Rprop(p, etas=(1.1, 1.2)), "Invalid eta values: 1.1, 1.2"),
        (lambda p: optim.Adafactor(p, d=0.5), "Clipping threshold d should be >= 1 but is: 0.5"),
        (lambda p: optim.Adafactor(p, beta2_decay=0.8), "beta2_decay should be <= 0"),
        (lambda p: optim.Muon(p, adjust_lr_fn="x"), "function x is not supported"),
        (lambda p: optim.Muon([parameter(3)]), "only supports 2D parameters"),
        (lambda p: optim.SparseAdam(p, eps=0), "Invalid epsilon value: 0"),
    ],
)
def test_settings_are_checked(make, text):
    with pytest.raises(ValueError, match=text):
        make([parameter()])


@pytest.mark.parametrize(
    ("pair", "error"),
    [(0.9, TypeError), (None, TypeError), ("ab", TypeError), ((0.9, None), TypeError),
     ((0.9,), IndexError)],
)  # fmt: skip
@pytest.mark.parametrize(
    ("kind", "name"), [("Adam", "betas"), ("AdamW", "betas"), ("Adamax", "betas"),
                       ("NAdam", "betas"), ("RAdam", "betas"), ("Rprop", "etas")],
)  # fmt: skip
def test_a_pair_of_settings_is_a_pair(kind, name, pair, error):
    with pytest.raises(error, match=f"{name} must be a pair of numbers"):
        getattr(optim, kind)([parameter()], **{name: pair})


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("SGD", "momentum", 0.5), ("SGD", "weight_decay", 0.5), ("SGD", "dampening", 0.5),
        ("Adam", "eps", 0.5), ("Adam", "weight_decay", 0.5), ("AdamW", "weight_decay", 0.5),
        ("RMSprop", "alpha", 0.5), ("RMSprop", "eps", 0.5), ("RMSprop", "weight_decay", 0.5),
        ("RMSprop", "momentum", 0.5), ("Adagrad", "lr_decay", 0.5), ("Adagrad", "eps", 0.5),
        ("Adagrad", "weight_decay", 0.5), ("Adadelta", "rho", 0.5), ("Adadelta", "eps", 0.5),
    ],
)  # fmt: skip
def test_a_setting_may_be_a_tensor(kind, name, value):
    ends = []
    for given in (value, torch.tensor(value)):
        p = nn.Parameter(torch.ones(2))
        optimizer = getattr(optim, kind)([p], lr=0.1, **{name: given})
        for _ in range(3):
            p.grad = torch.ones(2)
            optimizer.step()
        ends.append(p.tolist())
    assert ends[0] == ends[1] != [1, 1]


def test_one_implementation_at_a_time():
    for make in (optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad):
        with pytest.raises(RuntimeError, match="cannot be `True` together"):
            make([parameter()], fused=True, foreach=True)
        with pytest.raises(RuntimeError, match="does not support `differentiable`"):
            make([parameter()], fused=True, differentiable=True)


def test_sparse_adam_names_adam():
    p = parameter()
    optimizer = optim.SparseAdam([p])
    assert optimizer.step() is None
    p.grad = torch.ones(2, 2)
    with pytest.raises(RuntimeError, match="consider Adam instead"):
        optimizer.step()


# ---------------------------------------------------------------- groups


def test_groups_have_names_or_none_has():
    a, b = parameter(), parameter()
    optimizer = optim.SGD([("a", a)], lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["a"]
    with pytest.raises(ValueError, match="cannot add param group without names"):
        optimizer.add_param_group({"params": [b]})
    other = optim.SGD([b], lr=0.1)
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["param_names"] == ["a"]
    optimizer.load_state_dict(optim.SGD([b], lr=0.3).state_dict())  # its names stay
    assert optimizer.param_groups[0]["param_names"] == ["a"]


def test_the_given_dict_is_the_group():
    group = {"params": parameter()}
    optimizer = optim.SGD([group], lr=0.1)
    assert optimizer.param_groups[0] is group and group["lr"] == 0.1
    assert isinstance(group["params"], list)


def test_a_required_setting_and_an_optimizer_of_ones_own():
    from microtorch.optim.optimizer import required

    class Plain(optim.Optimizer):
        def __init__(self, params, lr=required):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(p.grad, alpha=-group["lr"])

        def __setstate__(self, state):
            super().__setstate__(state)
            for group in self.param_groups:
                group.setdefault("new", 7)

    p = parameter()
    with pytest.raises(ValueError, match="required optimization parameter lr"):
        Plain([p])
    optimizer = Plain([p], lr=0.5)
    scheduler = S.StepLR(optimizer, 1)
    p.grad = torch.ones(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
        scheduler.step()
    assert p[0, 0] == 0.5
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.param_groups[0]["new"] == 7


# ---------------------------------------------------------------- hooks


@pytest.mark.parametrize("name", ["SGD", "Adam", "NAdam", "LBFGS"])
def test_step_hooks(name):
    p, calls = parameter(), []
    optimizer = getattr(optim, name)([p])
    S.StepLR(optimizer, 2)  # counts steps by a step() of its own
    before = optimizer.register_step_pre_hook(
        lambda o, args, kwargs: calls.append(("pre", len(args)))
    )
    after = optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append(("post", o)))
    everywhere = [
        optim.optimizer.register_optimizer_step_pre_hook(lambda *a: calls.append("all")),
        optim.optimizer.register_optimizer_step_post_hook(lambda *a: calls.append("end")),
    ]
    run(optimizer, p)
    assert calls == ["all", ("pre", 2), ("post", optimizer), "end"]
    for handle in (before, after, *everywhere):
        handle.remove()
    run(optimizer, p)
    assert len(calls) == 4


def test_a_hook_may_change_the_arguments():
    p = parameter()
    optimizer = optim.SGD([p], lr=0.1)
    optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {"closure": lambda: 42.0}))
    assert optimizer.step() == 42.0
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="None or a tuple"):
        optimizer.step()


def test_hooks_of_a_subclass_run_once():
    class Mine(optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    p, calls = parameter(), []
    optim.SGD([p], lr=0.1).register_step_pre_hook(lambda *a: None)
    optimizer = Mine([p], lr=0.1)
    optimizer.register_step_pre_hook(lambda *a: calls.append(1))
    optimizer.step()
    assert calls == [1]


def test_state_dict_hooks():
    p, calls = parameter(), []
    optimizer = stepped("Adam", p)
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("a"))
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, d: {**d, "extra": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, d: calls.append(d.pop("extra")))
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append(o))
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    assert calls == ["first", "a", 1, optimizer] and saved["extra"] == 1


def test_zero_grad():
    p = parameter()
    optimizer = stepped("SGD", p, lr=0.1)
    grad = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [[0, 0], [0, 0]] and grad.tolist() == [[0, 0], [0, 0]]
    optimizer.zero_grad()
    assert p.grad is None


# ---------------------------------------------------------------- schedulers


@pytest.mark.parametrize(
    "make",
    [
        lambda o: S.MultiplicativeLR(o, lambda epoch: 0.9),
        lambda o: S.PolynomialLR(o, 6, 2.0),
        lambda o: S.CosineAnnealingWarmRestarts(o, 3, 2),
        lambda o: S.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9),
        lambda o: S.OneCycleLR(o, 0.1, 20),
        lambda o: S.SequentialLR(o, [S.ConstantLR(o, 0.5, 2), S.ExponentialLR(o, 0.9)], [2]),
        lambda o: S.ChainedScheduler([S.LinearLR(o), S.ExponentialLR(o, 0.9)]),
        lambda o: swa_utils.SWALR(o, 0.02, 4),
    ],
)
def test_schedulers_are_saved_and_follow_a_tensor_rate(make):
    def begin(lr=0.1):
        optimizer = optim.SGD([parameter()], lr=lr, momentum=0.9)
        return optimizer, make(optimizer)

    def forward(optimizer, scheduler, epochs):
        for _ in range(epochs):
            optimizer.step()
            scheduler.step()
        return [float(rate) for rate in scheduler.get_last_lr()]

    optimizer, scheduler = begin()
    forward(optimizer, scheduler, 3)
    buffer = io.BytesIO(pickle.dumps((scheduler.state_dict(), optimizer.state_dict())))
    other, second = begin()
    state, optimizer_state = pickle.loads(buffer.getvalue())
    assert "optimizer" not in state
    second.load_state_dict(state)
    other.load_state_dict(optimizer_state)
    expected = forward(optimizer, scheduler, 4)
    assert forward(other, second, 4) == pytest.approx(expected, rel=1e-15)
    rate = torch.tensor(0.1, dtype=torch.float64)
    third, schedule = begin(rate)
    assert forward(third, schedule, 7) == pytest.approx(expected, rel=1e-12)
    assert third.param_groups[0]["lr"] is rate and schedule.get_last_lr()[0] is not rate


def test_scheduler_warnings():
    optimizer = optim.SGD([parameter()], lr=0.1)
    scheduler = S.ExponentialLR(optimizer, 0.9)
    with pytest.warns(UserWarning, match="use `get_last_lr"):
        assert scheduler.get_lr() == [pytest.approx(0.09)]
    optimizer.step = lambda closure=None: None
    with pytest.warns(UserWarning, match="has been overridden"):
        scheduler.step()
    plateau = S.ReduceLROnPlateau(optimizer)
    assert isinstance(plateau, S.LRScheduler)
    with pytest.warns(UserWarning, match="epoch parameter"):
        plateau.step(1.0, 3)
    assert plateau.last_epoch == 3


def test_warm_restarts_take_fractions_of_epochs():
    optimizer = optim.SGD([parameter()], lr=0.1)
    scheduler = S.CosineAnnealingWarmRestarts(optimizer, 2, 2)
    rates = []
    for epoch in (0.5, 1.5, 2.0, 3.0, 5.5, 6.25):
        scheduler.step(epoch)
        rates += scheduler.get_last_lr()
    assert rates == pytest.approx(  # PyTorch 2.13
        [
            0.08535533905932738,
            0.014644660940672627,
            0.1,
            0.08535533905932738,
            0.0038060233744356634,
            0.09975923633360985,
        ]
    )
    with pytest.raises(ValueError, match="non-negative epoch"):
        scheduler.step(-1)


def test_a_new_group_under_a_plateau():
    optimizer = optim.SGD([parameter()], lr=0.1)
    plateau = S.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.05])
    simple = S.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.02)
    optimizer.add_param_group({"params": [parameter()]})
    for value in (1.0, 2.0):
        simple.step(value)
    assert [g["lr"] for g in optimizer.param_groups] == [0.02, 0.02]
    plateau.step(1.0)
    with pytest.raises(RuntimeError, match="The number of param groups"):
        plateau.step(2.0)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda o: S.MultiplicativeLR(o, 3), TypeError, "lr_lambda should be a function"),
        (lambda o: S.LambdaLR(o, [abs, abs]), ValueError, "Expected 1 lr_lambdas, but got 2"),
        (lambda o: S.CyclicLR(o, 0.1, [1, 2]), ValueError, "max_lr must have the same length"),
        (lambda o: S.CyclicLR(o, 0.1, 1, mode="x"), ValueError, "mode is invalid"),
        (lambda o: S.OneCycleLR(o, 0.1), ValueError, "must define either total_steps OR"),
        (lambda o: S.OneCycleLR(o, 0.1, 0), ValueError, "positive integer total_steps"),
        (lambda o: S.OneCycleLR(o, 0.1, 9, pct_start=2.0), ValueError, "between 0 and 1 pct_start"),
        (lambda o: S.OneCycleLR(o, 0.1, 9, anneal_strategy="x"), ValueError, "'cos' or 'linear'"),
        (lambda o: S.CosineAnnealingWarmRestarts(o, 0), ValueError, "positive integer T_0"),
        (lambda o: S.SequentialLR(o, [], []), ValueError, "at least one scheduler"),
        (lambda o: S.SequentialLR(o, [S.StepLR(o, 1)], [1]), ValueError, "one more than"),
        (lambda o: S.ChainedScheduler([S.ReduceLROnPlateau(o)]), ValueError, "does not support"),
        (
            lambda o: S.ChainedScheduler(
                [S.StepLR(o, 1), S.StepLR(optim.SGD([parameter()], 0.1), 1)]
            ),
            ValueError,
            "same optimizer",
        ),
        (lambda o: S.StepLR(3, 1), TypeError, "int is not an Optimizer"),
        (lambda o: swa_utils.SWALR(o, 0.1, -1), ValueError, "anneal_epochs must be"),
        (lambda o: swa_utils.get_ema_avg_fn(1.5), ValueError, "Invalid decay value"),
    ],
)
def test_schedulers_check_their_settings(make, error, text):
    with pytest.raises(error, match=text):
        make(optim.SGD([parameter()], lr=0.1, momentum=0.9))


def test_momentum_can_only_cycle_where_there_is_one():
    optimizer = optim.Adadelta([parameter()])
    with pytest.raises(ValueError, match="support momentum or beta1"):
        S.CyclicLR(optimizer, 0.01, 0.1)
    assert S.CyclicLR(optimizer, 0.01, 0.1, cycle_momentum=False).get_last_lr() == [0.01]


def test_one_cycle_ends():
    optimizer = optim.SGD([parameter()], lr=0.1, momentum=0.9)
    scheduler = S.OneCycleLR(optimizer, 0.1, 2)
    optimizer.step()
    scheduler.step()
    scheduler.step()
    with pytest.raises(ValueError, match="Tried to step 3 times"):
        scheduler.step()


def test_update_bn_leaves_the_mode_and_the_momentum():
    model = nn.Sequential(nn.BatchNorm1d(2, momentum=0.3)).eval()
    swa_utils.update_bn([(torch.tensor([[1.0, 2.0], [3.0, 6.0]]), "label")], model)
    assert not model.training and model[0].momentum == 0.3
    assert model[0].running_mean.tolist() == [2.0, 4.0]
    assert swa_utils.update_bn([], nn.Linear(1, 1)) is None
    model.train()[0].eval()  # a frozen part, and a batch that does not fit
    with pytest.raises(ValueError, match="expected 2D"):
        swa_utils.update_bn([torch.ones(2)], model)
    assert model.training and not model[0].training and model[0].momentum == 0.3


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_betas_of_a_list_are_shown_and_saved_as_a_pair(name):
    optimizer = getattr(optim, name)([parameter()], betas=[0.5, 0.9])
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.9)
