"""Steps of optimizers as calls of the functions of ``c/optimizers.c``: a table like calls.py."""
from __future__ import annotations

import numpy as np

from .look import Look, Table, is_number
from .parts import new
from .statements import Call, Lowered
from .templates import Ref

updates = Table()


@updates.entry("kernel sgd_step")
def _sgd(s: Look) -> list[Lowered] | None:
    params, grads, buffers = s.given
    a = s.step.attrs
    if not all(map(is_number, a.values())):
        return None
    out: list[Lowered] = []
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        if not s.rows(p, g, *buffers[i : i + 1]) or s.shape(p) != s.shape(g):
            return None
        head = (s.size(p), p, g)
        if not a["momentum"]:
            tail = (a["lr"], a["weight_decay"], a["maximize"])
            out.append(s.call("sgd", *head, *tail, writes=(p,)))
            continue
        out.append(s.call(
            "sgd_momentum", *head, buffers[i], a["lr"], a["momentum"], a["dampening"],
            a["weight_decay"], a["nesterov"], a["maximize"], a["first"], writes=(p, buffers[i]),
        ))  # fmt: skip
    return out


@updates.entry("kernel adam_step")
def _adam(s: Look) -> list[Lowered] | None:
    params, grads, means, squares, largest, steps = s.given
    a = s.step.attrs
    if not all(map(is_number, a.values())):
        return None
    out: list[Lowered] = []
    for i, (p, g, m, v, t) in enumerate(zip(params, grads, means, squares, steps, strict=True)):
        most = largest[i : i + 1]
        if not s.rows(p, g, m, v, *most) or not s.rows(t, kind="float32") or (
            s.shape(p) != s.shape(g)
        ):  # fmt: skip
            return None
        out.append(s.call(
            "adam", s.size(p), p, g, m, v, *(most or [None]), t, a["lr"], a["beta1"], a["beta2"],
            a["eps"], a["weight_decay"], a["decoupled"], a["maximize"],
            writes=(p, m, v, *most, t),
        ))  # fmt: skip
    return out


@updates.entry("kernel adadelta_step")
def _adadelta(s: Look) -> list[Lowered] | None:
    a = s.step.attrs
    if not s.alone or not all(map(is_number, a.values())):
        return None
    out: list[Lowered] = []
    for p, g, square, moved, t in zip(*s.given, strict=True):
        if not s.rows(p, g, square, moved) or not s.rows(t, kind="float32") or (
            s.shape(p) != s.shape(g)
        ):  # fmt: skip
            return None
        out.append(s.call(
            "adadelta", s.size(p), p, g, square, moved, t, a["lr"], a["rho"], a["eps"],
            a["weight_decay"], a["maximize"], writes=(p, square, moved, t),
        ))  # fmt: skip
    return out


@updates.entry("kernel rmsprop_step")
def _rmsprop(s: Look) -> list[Lowered] | None:
    params, grads, squares, means, buffers, steps = s.given
    a = s.step.attrs
    if not all(map(is_number, a.values())):
        return None
    out: list[Lowered] = []
    for i, (p, g, square, t) in enumerate(zip(params, grads, squares, steps, strict=True)):
        m, v = (x[i] if x else None for x in (means, buffers))
        used = [x for x in (p, g, square, m, v) if x is not None]
        if not s.rows(*used) or not s.rows(t, kind="float32") or s.shape(p) != s.shape(g):
            return None
        out.append(s.call(
            "rmsprop", s.size(p), p, g, square, m, v, t, a["lr"], a["alpha"], a["eps"],
            a["weight_decay"], a["momentum"], a["maximize"],
            writes=tuple([x for x in used if x is not g] + [t]),
        ))  # fmt: skip
    return out


@updates.entry("kernel adagrad_step")
def _adagrad(s: Look) -> list[Lowered] | None:
    params, grads, sums, steps = s.given
    a = s.step.attrs
    if not all(map(is_number, a.values())):
        return None
    out: list[Lowered] = []
    for p, g, total, t in zip(params, grads, sums, steps, strict=True):
        if not s.rows(p, g, total) or not s.rows(t, kind="float32") or s.shape(p) != s.shape(g):
            return None
        out.append(s.call(
            "adagrad", s.size(p), p, g, total, t, a["lr"], a["lr_decay"], a["eps"],
            a["weight_decay"], a["maximize"], writes=(p, total, t),
        ))  # fmt: skip
    return out


# optimizers whose update is composed of operations (optim/stepping.py): the function of C, the
# state's counts and its arrays, the settings
COMPOSED = {
    "Adamax": ("adamax", "step", "exp_avg exp_inf", "lr betas eps weight_decay"),
    "NAdam": ("nadam", "step mu_product", "exp_avg exp_avg_sq",
              "lr betas eps weight_decay momentum_decay decoupled_weight_decay"),
    "RAdam": ("radam", "step", "exp_avg exp_avg_sq",
              "lr betas eps weight_decay decoupled_weight_decay"),
    "ASGD": ("asgd", "step eta mu", "ax", "lr lambd alpha t0 weight_decay"),
    "Rprop": ("rprop", "step", "prev step_size", "etas step_sizes"),
}  # fmt: skip


@updates.entry(*(f"whole {name}_step" for name in COMPOSED))
def _composed(s: Look) -> list[Lowered] | None:
    function, *names = COMPOSED[s.step.name.removesuffix("_step")]
    (p, g, held, lr), a = s.given, s.step.attrs
    state, group = dict(zip(a["keys"], held, strict=True)), {**a["settings"], "lr": a["rate"]}
    counts, arrays, settings = ([x[k] for k in text.split()]
                                for x, text in zip((state, state, group), names, strict=True))
    numbers = [y for x in settings for y in (x if type(x) is tuple else (x,))]
    if lr is not None or not all(map(is_number, numbers)) or s.shape(p) != s.shape(g) or (
        not s.rows(p, g, *arrays) or not s.rows(*counts, kind="float32")
    ):  # fmt: skip
        return None
    given = (s.size(p), p, g, *counts, *arrays, *numbers)
    return [s.call(function, *given, writes=(p, *counts, *arrays))]


@updates.entry("whole Adafactor_step")
def _adafactor(s: Look) -> list[Lowered] | None:
    """Of a matrix, a row and a column of state; of a vector, one array."""
    (p, g, held, lr), a = s.given, s.step.attrs
    state, group = dict(zip(a["keys"], held, strict=True)), {**a["settings"], "lr": a["rate"]}
    row, column, variance = (state.get(k) for k in ("row_var", "col_var", "variance"))
    arrays = [x for x in (row, column, variance) if x is not None]
    numbers = [group[k] for k in ("lr", "beta2_decay", "d", "weight_decay")]
    if lr is not None or not all(map(is_number, numbers)) or s.shape(p) != s.shape(g) or (
        not s.rows(p, g, *arrays) or not s.rows(state["step"], kind="float32") or not s.size(p)
    ):  # fmt: skip
        return None
    least, eps = group["eps"]
    if least is None:
        least = float(np.finfo(s.program.values[p.number].dtype).eps)
    rows, columns = s.shape(p)[-2:] if variance is None else (1, s.size(p))
    change = new(s.program, s.shape(p), p.number)
    given = [s.size(p) // (rows * columns), rows, columns, p, g, state["step"], row, column,
             variance, Ref(change), *numbers, least, eps]  # fmt: skip
    writes = [x.number for x in (p, state["step"], *arrays)]
    return [Call(s.step, "adafactor", given, [change], writes)]


@updates.entry("kernel total_norm")
def _total_norm(s: Look) -> list[Lowered] | None:
    (arrays,) = s.given
    if not arrays or not s.rows(*arrays, s.step.result):
        return None
    sizes = [s.size(x) for x in arrays]
    return [s.call("total_norm", len(sizes), list(arrays), sizes, s.step.result)]


@updates.entry("kernel scale_by")
def _scale_by(s: Look) -> list[Lowered] | None:
    arrays, factor = s.given
    if not s.rows(factor, *arrays):
        return None
    return [s.call("scale_by", s.size(x), x, factor, writes=(x,)) for x in arrays]
