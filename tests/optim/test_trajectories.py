"""Optimizers and schedules, step by step, against numbers recorded from PyTorch 2.13 (CPU).

Each case is a program that runs in both libraries. ``python tests/optim/test_trajectories.py``
records anew, with PyTorch, into trajectories.json.
"""

import json
import math
import sys
import warnings
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from golden import differences, run

FILE = Path(__file__).with_name("trajectories.json")


def values(torch, count, shape):
    """Some numbers, the same in both libraries."""
    n = math.prod(shape)
    return torch.tensor([math.sin(1.7 * i + count) for i in range(n)]).reshape(shape)


def steps(name, dtype="float32", count=8, shapes=((3, 4), (5,), (2, 2, 3)), **settings):
    """The parameters after each of some steps on a bumpy function, the losses, the state."""

    def case(torch):
        params = [
            torch.nn.Parameter(values(torch, i, shape).to(getattr(torch, dtype)))
            for i, shape in enumerate(shapes)
        ]
        optimizer = getattr(torch.optim, name)(params, **settings)
        found = []
        for i in range(count):

            def closure(i=i):
                optimizer.zero_grad()
                loss = sum(((p * 1.5).sin() + p**2 * (0.4 + 0.1 * i)).sum() for p in params)
                loss.backward()
                return loss

            found += [optimizer.step(closure).detach().clone()]
            found += [p.detach().clone() for p in params]
        if name != "LBFGS":
            state = optimizer.state[params[0]]
            found += [state[k].clone() for k in sorted(state)]
        return found

    return case


def rosenbrock(count=6, **settings):
    """L-BFGS down the curved valley."""

    def case(torch):
        p = torch.nn.Parameter(torch.tensor([-1.2, 1.0, 0.7], dtype=torch.float64))
        optimizer = torch.optim.LBFGS([p], **settings)

        def closure():
            optimizer.zero_grad()
            loss = (100 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2).sum()
            loss.backward()
            return loss

        found = []
        for _ in range(count):
            found += [optimizer.step(closure).detach(), p.detach().clone()]
        counts = [optimizer.state[p][k] for k in ("n_iter", "func_evals")]
        return [*found, torch.tensor(counts, dtype=torch.float64)]

    return case


def schedule(make, count=12, optimizer="SGD", defaults=None):
    """Rates and momenta of two groups, epoch by epoch."""

    def case(torch):
        params = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
        groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.5}]
        opt = getattr(torch.optim, optimizer)(groups, lr=0.1, **(defaults or {"momentum": 0.9}))
        scheduler = make(torch, opt)
        found = []
        for _ in range(count):
            row = [float(group["lr"]) for group in opt.param_groups]
            row += [group.get("momentum", group.get("betas", [0])[0]) for group in opt.param_groups]
            found.append(torch.tensor(row, dtype=torch.float64))
            assert scheduler.get_last_lr() == row[:2]
            opt.step()
            scheduler.step()
        return found

    return case


def scheduled(name, *args, **settings):
    def make(torch, opt):
        return getattr(torch.optim.lr_scheduler, name)(opt, *args, **settings)

    return schedule(make)


def cyclic(torch, opt):
    return torch.optim.lr_scheduler.CyclicLR(opt, 0.01, 0.1, step_size_up=3)


def sequential(torch, opt):
    S = torch.optim.lr_scheduler
    parts = [S.LinearLR(opt, 0.1, total_iters=3), S.ExponentialLR(opt, 0.9), S.StepLR(opt, 2)]
    return S.SequentialLR(opt, parts, milestones=[3, 7])


def chained(torch, opt):
    S = torch.optim.lr_scheduler
    warm = S.SequentialLR(opt, [S.ConstantLR(opt, 0.5, 2), S.StepLR(opt, 2)], milestones=[4])
    return S.ChainedScheduler([warm, S.ExponentialLR(opt, 0.9)])


def averaged(**settings):
    """Parameters and buffers of an average over some training."""

    def case(torch):
        swa = torch.optim.swa_utils
        options = dict(settings)
        for key in ("avg_fn", "multi_avg_fn"):
            if key in options:
                options[key] = getattr(swa, options[key])()
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).double()
        mean = swa.AveragedModel(model, **options)
        opt = torch.optim.SGD(model.parameters(), lr=0.1)
        rates = swa.SWALR(opt, 0.02, anneal_epochs=3, anneal_strategy="linear")
        batches = [values(torch, i, (6, 3)).double() for i in range(4)]
        for batch in batches:
            opt.zero_grad()
            (model(batch) ** 3).sum().backward()
            opt.step()
            mean.update_parameters(model)
            rates.step()
        found = [p.detach().clone().double() for p in mean.state_dict().values()]
        swa.update_bn(batches, mean)
        return [*found, *(b.double() for b in mean.buffers()), torch.tensor(rates.get_last_lr())]

    return case


CASES = {
    "ASGD": steps("ASGD"),
    "ASGD settings": steps("ASGD", lr=0.1, lambd=0.1, t0=3, weight_decay=0.1, maximize=True),
    "Adamax": steps("Adamax"),
    "Adamax settings": steps("Adamax", lr=0.1, betas=(0.4, 0.8), weight_decay=0.2, maximize=True),
    "NAdam": steps("NAdam"),
    "NAdam settings": steps("NAdam", lr=0.1, weight_decay=0.1, momentum_decay=0.1),
    "NAdam decoupled": steps("NAdam", decoupled_weight_decay=True, weight_decay=0.2, lr=0.05),
    "RAdam": steps("RAdam"),
    "RAdam settings": steps("RAdam", lr=0.1, betas=(0.5, 0.6), weight_decay=0.1),
    "RAdam decoupled": steps("RAdam", lr=0.1, decoupled_weight_decay=True, weight_decay=0.3),
    "Rprop": steps("Rprop"),
    "Rprop settings": steps("Rprop", lr=0.1, etas=(0.3, 1.7), step_sizes=(1e-3, 0.2)),
    "Adafactor": steps("Adafactor"),
    "Adafactor settings": steps("Adafactor", lr=0.5, weight_decay=0.1, eps=(1e-3, 0.01), d=2.0),
    "Adafactor maximize": steps("Adafactor", beta2_decay=-0.5, maximize=True),
    "Muon": steps("Muon", shapes=((3, 4), (6, 2))),
    "Muon settings": steps("Muon", shapes=((3, 4), (6, 2)), lr=0.1, nesterov=False,
     adjust_lr_fn="match_rms_adamw"),
    "Muon float64": steps("Muon", "float64", shapes=((3, 4),)),
    "LBFGS": steps("LBFGS", "float64", count=3, max_iter=4),
    "LBFGS few": steps("LBFGS", "float64", count=4, lr=0.1, max_iter=4, history_size=2),
    "LBFGS rosenbrock": rosenbrock(lr=0.01),
    "LBFGS wolfe": rosenbrock(line_search_fn="strong_wolfe", max_iter=5, history_size=3),
    "LBFGS wolfe evaluations": rosenbrock(line_search_fn="strong_wolfe", max_iter=3, max_eval=3),
    "MultiplicativeLR": scheduled("MultiplicativeLR", lambda epoch: 0.9 + 0.01 * epoch),
    "PolynomialLR": scheduled("PolynomialLR", 5, power=0.7),
    "WarmRestarts": scheduled("CosineAnnealingWarmRestarts", 3, T_mult=2, eta_min=0.01),
    "CyclicLR": scheduled("CyclicLR", 0.01, [0.1, 0.2], step_size_up=3, step_size_down=2),
    "CyclicLR triangular2": scheduled("CyclicLR", 0.01, 0.1, step_size_up=2, mode="triangular2"),
    "CyclicLR exp_range": scheduled("CyclicLR", 0.01, 0.1, step_size_up=2, mode="exp_range",
     gamma=0.9),
    "CyclicLR function": scheduled("CyclicLR", 0.01, 0.1, step_size_up=2, scale_mode="iterations",
     scale_fn=lambda x: 1 / (1 + x)),
    "CyclicLR betas": schedule(cyclic, optimizer="Adam", defaults={"betas": (0.7, 0.99)}),
    "OneCycleLR": scheduled("OneCycleLR", [0.1, 1.0], 12),
    "OneCycleLR linear": scheduled("OneCycleLR", 0.1, epochs=4, steps_per_epoch=3,
     anneal_strategy="linear", three_phase=True, pct_start=0.25),
    "SequentialLR": schedule(sequential),
    "ChainedScheduler": schedule(chained),
    "AveragedModel": averaged(),
    "AveragedModel avg_fn": averaged(avg_fn="get_ema_avg_fn"),
    "AveragedModel buffers": averaged(multi_avg_fn="get_ema_multi_avg_fn", use_buffers=True),
    "AveragedModel swa_fn": averaged(avg_fn="get_swa_avg_fn", use_buffers=True),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_is_pytorchs(name):
    import microtorch

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = differences(run(CASES[name], microtorch), json.loads(FILE.read_text())[name])
    assert not found, f"{name}: " + "; ".join(found)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    recorded = {name: run(case, torch) for name, case in CASES.items()}
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(recorded[name])}" for name in recorded)
    FILE.write_text("{\n" + text + "\n}\n")
