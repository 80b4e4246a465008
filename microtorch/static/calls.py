"""Steps that become the call of a C function: which function of ``c/``, and with what.

``calls`` is the table, by the name of the step; an entry looks at a step and says with what
operands its function is called, or None where it does not fit. What is large in an image is faster
in the C core, so it becomes C only where a whole program must (``alone``).
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from .statements import Call, Lowered, Sum
from .templates import Rate, Ref

if TYPE_CHECKING:
    from ..base.types import Operand, Shape
    from .program import Program, Step

Entry: TypeAlias = "Callable[[Look], list[Lowered] | None]"
calls: dict[str, Entry] = {}


class Look(NamedTuple):
    """A step as the table's entries see it."""

    program: Program
    step: Step
    alone: bool  # must it be C, since there is no Python?

    @property
    def given(self) -> tuple[Operand, ...]:
        return self.step.arguments

    def attr(self, name: str) -> Operand:
        return self.step.attrs.get(name)

    def shape(self, x: Operand) -> Shape:
        return self.program.values[x.number].shape

    def size(self, x: Operand) -> int:
        return math.prod(self.shape(x))

    def rows(self, *given: Operand, kind: str = "") -> bool:
        """Are all of these values that lie row by row, of one floating type (or of ``kind``)?"""
        values = self.program.values
        if any(type(x) is not Ref for x in given):
            return False
        kinds = {values[x.number].dtype.name for x in given}
        kinds_ok = kinds == {kind} if kind else kinds in ({"float32"}, {"float64"})
        return kinds_ok and all(values[x.number].contiguous for x in given)

    def call(self, function: str, *operands: Operand, writes: tuple[Operand, ...] = ()) -> Call:
        """The call; what is new is the step's result."""
        old = {x.number for x in self.given if type(x) is Ref}
        fresh = [n for n in dict.fromkeys(self.step.gives()) if n not in old]
        return Call(self.step, function, [*operands], fresh, [x.number for x in writes])


def entry(*names: str) -> Callable[[Entry], Entry]:
    def keep(function: Entry) -> Entry:
        calls.update(dict.fromkeys(names, function))
        return function

    return keep


# ---- optimizers ----------------------------------------------------------------------------------
def _number(x: Operand) -> bool:
    return type(x) in (bool, int, float, Rate)


@entry("kernel sgd_step")
def _sgd(s: Look) -> list[Lowered] | None:
    params, grads, buffers = s.given
    a = s.step.attrs
    if not all(map(_number, a.values())):
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


@entry("kernel adam_step")
def _adam(s: Look) -> list[Lowered] | None:
    params, grads, means, squares, largest, steps = s.given
    a = s.step.attrs
    if largest or not all(map(_number, a.values())):
        return None
    out: list[Lowered] = []
    for p, g, m, v, t in zip(params, grads, means, squares, steps, strict=True):
        if not s.rows(p, g, m, v) or not s.rows(t, kind="float32") or s.shape(p) != s.shape(g):
            return None
        out.append(s.call(
            "adam", s.size(p), p, g, m, v, t, a["lr"], a["beta1"], a["beta2"], a["eps"],
            a["weight_decay"], a["decoupled"], a["maximize"], writes=(p, m, v, t),
        ))  # fmt: skip
    return out


@entry("kernel total_norm")
def _total_norm(s: Look) -> list[Lowered] | None:
    (arrays,) = s.given
    if not arrays or not s.rows(*arrays, s.step.result):
        return None
    sizes = [s.size(x) for x in arrays]
    return [s.call("total_norm", len(sizes), list(arrays), sizes, s.step.result)]


@entry("kernel scale_by")
def _scale_by(s: Look) -> list[Lowered] | None:
    arrays, factor = s.given
    if not s.rows(factor, *arrays):
        return None
    return [s.call("scale_by", s.size(x), x, factor, writes=(x,)) for x in arrays]


# ---- rows ----------------------------------------------------------------------------------------
def _last(s: Look, x: Operand) -> tuple[int, int] | None:
    """Rows and their length, if the step goes along the last dimension."""
    shape = s.shape(x)
    if not shape or not shape[-1] or s.attr("dim") not in (-1, len(shape) - 1):
        return None
    return math.prod(shape[:-1]), shape[-1]


@entry("kernel softmax", "kernel log_softmax")
def _softmax(s: Look) -> list[Lowered] | None:
    x = s.given[0]
    if len(s.given) != 1 or not s.rows(x, s.step.result):
        return None
    size = _last(s, x)
    return size and [s.call(s.step.name, *size, x, s.step.result)]


@entry("vjp softmax_vjp0", "vjp log_softmax_vjp0")
def _softmax_vjp(s: Look) -> list[Lowered] | None:
    g, out = s.given[:2]
    if not s.rows(g, out, s.step.result):
        return None
    size = _last(s, out)
    return size and [s.call(s.step.name, *size, g, out, s.step.result)]


def _optional(s: Look, *given: Operand) -> bool:
    return all(x is None or s.rows(x) for x in given)


@entry("kernel layer_norm")
def _layer_norm(s: Look) -> list[Lowered] | None:
    x, w, b = (*s.given, None, None)[:3]
    if not s.rows(x, s.step.result) or not _optional(s, w, b) or not s.size(x):
        return None
    n = math.prod(s.shape(x)[-s.attr("ndim") :])
    return [s.call("layer_norm", s.size(x) // n, n, s.attr("eps"), x, w, b, s.step.result)]


@entry("vjps layer_norm_vjps")
def _layer_norm_vjps(s: Look) -> list[Lowered] | None:
    if len(s.given) != 5 or type(s.step.result) is not tuple or len(s.step.result) != 3:
        return None
    g, _, x, w = s.given[:4]
    if s.step.result[2] != g:
        return None
    dx, dw = s.step.result[:2]
    if not s.rows(g, x, w, dx, dw):
        return None
    n = math.prod(s.shape(x)[-s.attr("ndim") :])
    rows, parts = s.size(x) // n, s.size(dw) // n
    return [s.call("layer_norm_vjps", rows, n, parts, s.attr("eps"), g, x, w, dx, dw)]


# ---- channels ------------------------------------------------------------------------------------
def _channels(s: Look, x: Operand) -> tuple[int, int, int]:
    shape = s.shape(x)
    return shape[0], shape[1], math.prod(shape[2:])


@entry("kernel batch_norm")
def _batch_norm(s: Look) -> list[Lowered] | None:
    x, w, b = (*s.given, None, None)[:3]
    if not s.rows(x, s.step.result) or not _optional(s, w, b) or not s.size(x):
        return None
    size = _channels(s, x)
    return [s.call("batch_norm", *size, s.attr("eps"), x, w, b, s.step.result)]


@entry("kernel fixed_norm")
def _fixed_norm(s: Look) -> list[Lowered] | None:
    x, mean, variance, w, b = (*s.given, None, None)[:5]
    if not s.rows(x, mean, variance, s.step.result) or not _optional(s, w, b):
        return None
    size = _channels(s, x)
    return [s.call("fixed_norm", *size, s.attr("eps"), x, mean, variance, w, b, s.step.result)]


@entry("kernel moments")
def _moments(s: Look) -> list[Lowered] | None:
    if not s.rows(s.given[0], *s.step.result) or not s.size(s.given[0]):
        return None
    return [s.call("moments", *_channels(s, s.given[0]), s.given[0], *s.step.result)]


@entry("vjps batch_norm_vjps")
def _batch_norm_vjps(s: Look) -> list[Lowered] | None:
    if len(s.given) != 5 or type(s.step.result) is not tuple or len({*s.step.gives()}) != 3:
        return None
    g, _, x, w = s.given[:4]
    if not s.rows(g, x, w, *s.step.result):
        return None
    return [s.call("batch_norm_vjps", *_channels(s, x), s.attr("eps"), g, x, w, *s.step.result)]


# ---- class indices -------------------------------------------------------------------------------
@entry("kernel nll_loss", "vjp nll_loss_vjp0")
def _nll(s: Look) -> list[Lowered] | None:
    vjp = s.step.kind == "vjp"
    x, target = s.given[2:4] if vjp else s.given[:2]
    if len(s.given) != 2 + 2 * vjp or s.attr("reduction") not in ("mean", "sum"):
        return None
    like = s.program.values[s.step.result.number if vjp else x.number].shape
    if len(like) != 2 or not s.rows(target, kind="int64") or not all(like):
        return None
    mean, ignored = s.attr("reduction") == "mean", s.attr("ignore_index")
    rows, n = like
    if vjp:
        if not s.rows(s.given[0], s.step.result):
            return None
        return [s.call(s.step.name, rows, n, mean, ignored, s.given[0], target, s.step.result)]
    if not s.rows(x, s.step.result):
        return None
    check = Call(s.step, "in_range", [rows, target, 0, n, ignored], [], [], True)
    return [check, s.call(s.step.name, rows, n, mean, ignored, x, target, s.step.result)]


@entry("kernel check_rows")
def _check_rows(s: Look) -> list[Lowered] | None:
    index, rows = s.given
    if not s.rows(index, kind="int64"):
        return None
    return [Call(s.step, "in_range", [s.size(index), index, 0, rows, 0], [], [], True)]


@entry("kernel embedding")
def _embedding(s: Look) -> list[Lowered] | None:
    if len(s.given) != 2:
        return None
    table, index = s.given
    if not s.rows(table, s.step.result) or not s.rows(index, kind="int64"):
        return None
    return [s.call("embedding", s.size(index), s.shape(table)[1], table, index, s.step.result)]


@entry("vjp embedding_vjp0")
def _embedding_vjp(s: Look) -> list[Lowered] | None:
    g, _, _, index = s.given
    if s.attr("padding") is not None or not s.rows(g, s.step.result):
        return None
    if not s.rows(index, kind="int64"):
        return None
    rows, n = s.shape(s.step.result)
    return [s.call(s.step.name, s.size(index), rows, n, g, index, s.step.result)]


# ---- images --------------------------------------------------------------------------------------
def _geometry(s: Look, kernel: Shape, out: Shape) -> tuple[list[Operand], list[Operand]]:
    (sh, sw), ((top, _), (left, _)) = s.attr("stride"), s.attr("padding")
    return [*kernel, sh, sw, top, left], [*out[2:]]


@entry("kernel conv2d", "vjp conv2d_vjp0", "vjp conv2d_vjp1", "vjp conv2d_vjp2")
def _conv2d(s: Look) -> list[Lowered] | None:
    values = s.program.values
    if not s.alone or s.attr("groups") != 1:
        return None
    if s.step.name == "conv2d_vjp2":
        return [Sum(s.step, s.step.result.number, s.given[0].number, (0, 2, 3), 1)]
    i = 2 if s.step.kind == "vjp" else 0
    x, k = s.given[i : i + 2]
    shapes = [y.shape if type(y) is not Ref else values[y.number].shape for y in (x, k)]
    (n, c, h, w), (o, _, kh, kw) = shapes
    out = s.shape(s.given[0] if i else s.step.result)
    sizes, rest = _geometry(s, (kh, kw), out)
    given = [n, c, h, w, o, *sizes, *s.attr("dilation"), *rest]
    if not i:
        bias = s.given[2] if len(s.given) > 2 else None
        if not s.rows(x, k, s.step.result) or not _optional(s, bias):
            return None
        return [s.call("conv2d", *given, x, k, bias, s.step.result)]
    other = k if s.step.name == "conv2d_vjp0" else x
    if not s.rows(s.given[0], other, s.step.result):
        return None
    return [s.call(s.step.name, *given, s.given[0], other, s.step.result)]


@entry("kernel max_pool2d", "vjp max_pool2d_vjp0", "kernel avg_pool2d", "vjp avg_pool2d_vjp0")
def _pool(s: Look) -> list[Lowered] | None:
    vjp, largest = s.step.kind == "vjp", s.step.name.startswith("max")
    x = s.given[2] if vjp else s.given[0]
    out = s.given[0] if vjp else s.step.result
    shape = s.shape(s.step.result) if vjp else s.shape(x)
    if not s.alone or len(shape) != 4:
        return None
    sizes, rest = _geometry(s, s.attr("kernel"), s.shape(out))
    if not largest and type(s.attr("divisor")) is not int:
        return None
    more = [*s.attr("dilation")] if largest else [s.attr("divisor")]
    used = [out, s.given[1], x] if vjp and largest else [out] if vjp else [x]
    if not s.rows(*used, s.step.result):
        return None
    images = math.prod(shape[:2])
    return [s.call(s.step.name, images, *shape[2:], *sizes, *more, *rest, *used, s.step.result)]


# ---- random numbers ------------------------------------------------------------------------------
@entry("draw dropout_noise")
def _dropout_noise(s: Look) -> list[Lowered] | None:
    p = s.given[2] if len(s.given) > 2 else s.attr("p")
    if not s.alone or not s.rows(s.step.result) or not 0 < p < 1 or not s.size(s.step.result):
        return None
    kind = s.program.values[s.step.result.number].dtype.type
    kept = float(kind(1) / kind(1 - p))
    bound = math.ceil((1 - p) * 2.0**53)
    return [s.call("dropout_noise", s.size(s.step.result), bound, kept, s.step.result)]


def called(program: Program, step: Step, alone: bool) -> list[Lowered] | None:
    """A step as calls of C functions, or None."""
    found = calls.get(f"{step.kind} {step.name}")
    return None if found is None or "out" in step.attrs else found(Look(program, step, alone))
