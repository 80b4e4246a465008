"""Steps that become the call of a C function: which function of ``c/``, and with what.

``calls`` is the table; an entry says with what operands its function is called. What is large in an
image is faster in the C core, so it becomes C only where a whole program must (``alone``).
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .look import Look, Table, one_thread
from .statements import Call, Each, Lowered, Sum
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Operand, Shape

calls = Table()


# ---- rows ----------------------------------------------------------------------------------------
def _last(s: Look, x: Operand) -> tuple[int, int] | None:
    """Rows and their length, if the step goes along the last dimension."""
    shape = s.shape(x)
    if not shape or not shape[-1] or s.attr("dim") not in (-1, len(shape) - 1):
        return None
    return math.prod(shape[:-1]), shape[-1]


@calls.entry("kernel softmax", "kernel log_softmax")
def _softmax(s: Look) -> list[Lowered] | None:
    x = s.given[0]
    if len(s.given) != 1 or not s.rows(x, s.step.result):
        return None
    size = _last(s, x)
    return size and [s.call(s.step.name, *size, x, s.step.result)]


@calls.entry("vjp softmax_vjp0", "vjp log_softmax_vjp0")
def _softmax_vjp(s: Look) -> list[Lowered] | None:
    g, out = s.given[:2]
    if not s.rows(g, out, s.step.result):
        return None
    size = _last(s, out)
    return size and [s.call(s.step.name, *size, g, out, s.step.result)]


def _optional(s: Look, *given: Operand) -> bool:
    return all(x is None or s.rows(x) for x in given)


@calls.entry("kernel layer_norm")
def _layer_norm(s: Look) -> list[Lowered] | None:
    x, w, b = (*s.given, None, None)[:3]
    if not s.rows(x, s.step.result) or not _optional(s, w, b) or not s.size(x):
        return None
    n = math.prod(s.shape(x)[-s.attr("ndim") :])
    return [s.call("layer_norm", s.size(x) // n, n, s.attr("eps"), x, w, b, s.step.result)]


@calls.entry("vjps layer_norm_vjps")
def _layer_norm_vjps(s: Look) -> list[Lowered] | None:
    if type(s.step.result) is not tuple or len(s.step.result) != 3:
        return None
    g, _, x, w = (*s.given[:4], None)[:4]
    dx, dw, handed_on = s.step.result
    if not s.rows(g, x, dx, dw, handed_on) or not _optional(s, w):
        return None
    n = math.prod(s.shape(x)[-s.attr("ndim") :])
    rows, parts = s.size(x) // n, s.size(dw) // n
    given = [rows, n, parts, s.attr("eps"), g, x, w, dx, dw]
    done: list[Lowered] = [Call(s.step, s.step.name, given, [dx.number, dw.number], [])]
    if handed_on != g:  # which lay otherwise
        done.append(Each(s.step, handed_on.number, "x", {"x": g}))
    return done


# ---- groups of channels --------------------------------------------------------------------------
def _groups(s: Look, x: Operand) -> tuple[int, int, int, int]:
    """Rows, groups of an example, channels of a group, places of a channel."""
    batch, channels, *places = s.shape(x)
    group = s.attr("group")
    return batch * group, group, channels // group, math.prod(places)


@calls.entry("kernel group_norm")
def _group_norm(s: Look) -> list[Lowered] | None:
    x, w, b = (*s.given, None, None)[:3]
    if not s.rows(x, s.step.result) or not _optional(s, w, b) or not s.size(x):
        return None
    return [s.call("group_norm", *_groups(s, x), s.attr("eps"), x, w, b, s.step.result)]


@calls.entry("vjps group_norm_vjps")
def _group_norm_vjps(s: Look) -> list[Lowered] | None:
    if type(s.step.result) is not tuple or len({*s.step.gives()}) != 3:
        return None
    g, _, x, w = (*s.given[:4], None)[:4]
    if not s.rows(g, x, *s.step.result) or not _optional(s, w):
        return None
    return [s.call("group_norm_vjps", *_groups(s, x), s.attr("eps"), g, x, w, *s.step.result)]


# ---- channels ------------------------------------------------------------------------------------
def _channels(s: Look, x: Operand) -> tuple[int, int, int]:
    shape = s.shape(x)
    return shape[0], shape[1], math.prod(shape[2:])


@calls.entry("kernel batch_norm")
def _batch_norm(s: Look) -> list[Lowered] | None:
    x, w, b = (*s.given, None, None)[:3]
    if not s.rows(x, s.step.result) or not _optional(s, w, b) or not s.size(x):
        return None
    size = _channels(s, x)
    return [s.call("batch_norm", *size, s.attr("eps"), x, w, b, s.step.result)]


@calls.entry("kernel fixed_norm")
def _fixed_norm(s: Look) -> list[Lowered] | None:
    x, mean, variance, w, b = (*s.given, None, None)[:5]
    if not s.rows(x, mean, variance, s.step.result) or not _optional(s, w, b):
        return None
    size = _channels(s, x)
    return [s.call("fixed_norm", *size, s.attr("eps"), x, mean, variance, w, b, s.step.result)]


@calls.entry("kernel moments")
def _moments(s: Look) -> list[Lowered] | None:
    if not s.rows(s.given[0], *s.step.result) or not s.size(s.given[0]):
        return None
    return [s.call("moments", *_channels(s, s.given[0]), s.given[0], *s.step.result)]


@calls.entry("vjps batch_norm_vjps")
def _batch_norm_vjps(s: Look) -> list[Lowered] | None:
    if type(s.step.result) is not tuple or len({*s.step.gives()}) != 3:
        return None
    g, _, x, w = (*s.given[:4], None)[:4]
    if not s.rows(g, x, *s.step.result) or not _optional(s, w):
        return None
    return [s.call("batch_norm_vjps", *_channels(s, x), s.attr("eps"), g, x, w, *s.step.result)]


# ---- class indices -------------------------------------------------------------------------------
# steps that show an index in another shape; and some of it
SAME = frozenset("copy reshape clone squeeze unsqueeze view".split())
PART = SAME | frozenset("slice getitem select transpose permute expand".split())


def source(s: Look, index: Operand, through: frozenset[str]) -> Operand:
    """The index that steps of these names show."""
    while True:
        made = next((t for t in s.program.steps if t.result == index), None)
        if made is None or made.name not in through or made.arguments[:1] == (index,):
            return index
        index = made.arguments[0]


def in_rows(s: Look, index: Operand) -> Operand:
    """What an index is a copy of, if that lies in rows; else the index."""
    first = source(s, index, SAME)
    return first if s.rows(first, kind="int64") else index


def in_range(s: Look, index: Operand, least: int, bound: int, ignored: int) -> Call:
    """Are indices in range? That is asked before all else; where there is no Python, it is asked of
    computed ones when they have been computed."""
    early = True
    if s.alone:
        index, number = in_rows(s, index), source(s, index, PART).number
        early = any(x.number == number for x in s.program.leaves) or number in s.program.constants
    given = [s.size(index), index, least, bound, ignored]
    return Call(s.step, "in_range", given, [], [], 1 if early else 2)


@calls.entry("kernel nll_loss", "vjp nll_loss_vjp0")
def _nll(s: Look) -> list[Lowered] | None:
    vjp = s.step.kind == "vjp"
    x, target, weight = (*s.given[2 * vjp :], None)[:3]
    if len(s.given) > 3 + 2 * vjp or not _optional(s, weight):
        return None
    like = s.program.values[s.step.result.number if vjp else x.number].shape
    if len(like) != 2 or not s.rows(target, kind="int64") or not all(like):
        return None
    reduction, ignored = s.attr("reduction"), s.attr("ignore_index")
    rows, n = like
    name, how = (
        (s.step.name.replace("loss", "rows"), [rows, n, ignored]) if reduction == "none"
        else (s.step.name, [rows, n, reduction == "mean", ignored])
    )  # fmt: skip
    if vjp:
        if not s.rows(s.given[0], s.step.result):
            return None
        return [s.call(name, *how, s.given[0], target, weight, s.step.result)]
    if not s.rows(x, s.step.result):
        return None
    check = in_range(s, target, 0, n, ignored)
    return [check, s.call(name, *how, x, target, weight, s.step.result)]


@calls.entry("numpy argmax", "numpy argmin")
def _argmax(s: Look) -> list[Lowered] | None:
    x, dim = s.given[0], s.given[1] if len(s.given) > 1 else s.attr("axis")
    if not s.rows(x) or not s.rows(s.step.result, kind="int64") or not s.shape(x):
        return None
    n = s.shape(x)[-1]
    if dim is None:
        n = s.size(x)
    elif dim not in (-1, len(s.shape(x)) - 1):
        return None
    sign = -1 if s.step.name == "argmin" else 1
    return [s.call("argmax", s.size(x) // n, n, sign, x, s.step.result)]


@calls.entry("kernel max", "vjp max_vjp0", "kernel min", "vjp min_vjp0")
def _picked(s: Look) -> list[Lowered] | None:
    vjp = s.step.kind == "vjp"
    x, index = (s.given[0], s.given[3]) if vjp else s.given[:2]
    shape = s.shape(s.step.result if vjp else x)
    if not s.rows(x, s.step.result) or not s.rows(index, kind="int64") or not shape:
        return None
    if s.attr("dim") not in (-1, len(shape) - 1) or s.size(index) != math.prod(shape[:-1]):
        return None
    name = "picked_vjp0" if vjp else "picked"
    return [s.call(name, s.size(index), shape[-1], x, index, s.step.result)]


@calls.entry("kernel check_rows", "kernel check_classes")
def _check_rows(s: Look) -> list[Lowered] | None:
    index, rows = s.given
    if not s.rows(index, kind="int64"):
        return None
    return [in_range(s, index, 0, rows, 0)]


@calls.entry("kernel embedding")
def _embedding(s: Look) -> list[Lowered] | None:
    if len(s.given) != 2:
        return None
    table, index = s.given
    if not s.rows(table, s.step.result) or not s.rows(index, kind="int64"):
        return None
    return [s.call("embedding", s.size(index), s.shape(table)[1], table, index, s.step.result)]


@calls.entry("vjp embedding_vjp0")
def _embedding_vjp(s: Look) -> list[Lowered] | None:
    g, _, _, index = s.given
    if not s.rows(g, s.step.result) or not s.rows(index, kind="int64"):
        return None
    rows, n = s.shape(s.step.result)
    padding = -1 if s.attr("padding") is None else s.attr("padding") % rows
    return [s.call(s.step.name, s.size(index), rows, n, padding, g, index, s.step.result)]


# ---- conditions ----------------------------------------------------------------------------------
@calls.entry("suppose suppose")
def _suppose(s: Look) -> list[Lowered] | None:
    if not s.rows(s.given[0], kind="bool") or type(s.given[1]) is not bool:
        return None
    return [Call(s.step, "is", [s.given[0], s.given[1]], [], [], 2)]


@calls.entry("numpy all", "numpy any")
def _truth(s: Look) -> list[Lowered] | None:
    if not s.rows(s.given[0], s.step.result, kind="bool") or s.attr("axis") is not None:
        return None
    return [s.call(f"{s.step.name}_of", s.size(s.given[0]), s.given[0], s.step.result)]


# ---- images --------------------------------------------------------------------------------------
def geometry(s: Look, kernel: Shape, out: Shape) -> tuple[list[Operand], list[Operand]]:
    """What the C functions of windows are told: kernel, stride and padding; and the size made."""
    (sh, sw), ((top, _), (left, _)) = s.attr("stride"), s.attr("padding")
    return [*kernel, sh, sw, top, left], [*out[2:]]


# conv2d_vjp1_of_few (c/images.c): the largest kernel, and numbers of its arrays
WIDEST, MOST_LISTED = 8, 1 << 14


@calls.entry("kernel conv2d", "vjp conv2d_vjp0", "vjp conv2d_vjp1", "vjp conv2d_vjp2")
def _conv2d(s: Look) -> list[Lowered] | None:
    values = s.program.values
    few = s.step.name in ("conv2d_vjp1", "conv2d_vjp2") and _behind_pooling(s, s.given[0])
    if not (s.alone or (few and one_thread())) or s.attr("groups") != 1:
        return None
    if s.step.name == "conv2d_vjp2":
        return [Sum(s.step, s.step.result.number, s.given[0].number, (0, 2, 3), 1)]
    i = 2 if s.step.kind == "vjp" else 0
    x, k = s.given[i : i + 2]
    shapes = [y.shape if type(y) is not Ref else values[y.number].shape for y in (x, k)]
    (n, c, h, w), (o, _, kh, kw) = shapes
    out = s.shape(s.given[0] if i else s.step.result)
    sizes, rest = geometry(s, (kh, kw), out)
    given = [n, c, h, w, o, *sizes, *s.attr("dilation"), *rest]
    if not i:
        bias = s.given[2] if len(s.given) > 2 else None
        if not s.rows(x, k, s.step.result) or not _optional(s, bias):
            return None
        return [s.call("conv2d", *given, x, k, bias, s.step.result)]
    other = k if s.step.name == "conv2d_vjp0" else x
    if not s.rows(s.given[0], other, s.step.result):
        return None
    one = [*s.attr("stride"), *s.attr("dilation")] == [1] * 4
    room = max(c * (out[2] + kh - 1) * (out[3] + kw - 1), o * c * kh * WIDEST, 4 * out[2] * out[3])
    if few and one and max(kh, kw) <= WIDEST and room <= MOST_LISTED:
        given = [n, c, h, w, o, kh, kw, *given[9:11], *rest]
        return [s.call("conv2d_vjp1_of_few", *given, s.given[0], other, s.step.result)]
    return [s.call(s.step.name, *given, s.given[0], other, s.step.result)] if s.alone else None


def _behind_pooling(s: Look, g: Operand) -> bool:
    """Is g the gradient of a pooling by ``_halves``, and of relu before it perhaps? Then it is 0 at
    three places of four."""
    steps = s.program.steps
    while type(g) is Ref:
        n = g.number
        if any(step.kind != "vjp" for step in steps if n in step.reads()):  # who might write to it
            return False
        made = next((step for step in steps if step.result == g), None)
        if made is None or made.kind != "vjp":
            return False
        if made.name == "max_pool2d_vjp0":
            shape, out = s.shape(g), s.shape(made.arguments[0])
            return len(shape) == 4 and _halves(s._replace(step=made), shape, out)
        if made.name != "relu_vjp0":
            return False
        g = made.arguments[0]
    return False


def _halves(s: Look, shape: Shape, out: Shape) -> bool:
    """Is each image made half its size, by windows of 2 x 2 that do not overlap?"""
    two = tuple(s.attr("kernel")) == tuple(s.attr("stride")) == (2, 2)
    plain = tuple(s.attr("dilation")) == (1, 1) and not any(map(sum, s.attr("padding")))
    used = [x for x in s.given if type(x) is Ref]
    return two and plain and shape[2:] == (2 * out[2], 2 * out[3]) and s.rows(*used, s.step.result)


@calls.entry("kernel max_pool2d", "vjp max_pool2d_vjp0", "kernel avg_pool2d", "vjp avg_pool2d_vjp0")
def _pool(s: Look) -> list[Lowered] | None:
    vjp, largest = s.step.kind == "vjp", s.step.name.startswith("max")
    x = s.given[2] if vjp else s.given[0]
    out = s.given[0] if vjp else s.step.result
    shape = s.shape(s.step.result) if vjp else s.shape(x)
    if len(shape) != 4:
        return None
    if largest and _halves(s, shape, s.shape(out)):
        rows, n = math.prod(s.shape(out)[:-1]), s.shape(out)[-1]
        given = (*s.given[:2], x, s.step.result) if vjp else (x, s.step.result)
        return [s.call("halved_vjp0" if vjp else "halved", rows, n, 0, *given)]
    if not s.alone:
        return None
    sizes, rest = geometry(s, s.attr("kernel"), s.shape(out))
    if not largest and type(s.attr("divisor")) is not int:
        return None
    more = [*s.attr("dilation")] if largest else [s.attr("divisor")]
    used = [out, x] if vjp and largest else [out] if vjp else [x]
    if not s.rows(*used, s.step.result):
        return None
    images = math.prod(shape[:2])
    return [s.call(s.step.name, images, *shape[2:], *sizes, *more, *rest, *used, s.step.result)]
