"""Steps that take or put elements at places: places that are known before, or that indices say.

``tabled`` is a table like that of calls.py, for exported programs only. The places are an array of
int64, -1 for none. Those that follow from shapes and settings are found by the kernel itself: it is
given the numbers 0, 1, 2, ..., and what comes out says which element went where (``Known``). Of an
index (``x[i, :, j]``, gather, what sort and max picked) a part is known, and the rest is computed
by the function ``along`` of c/places.c.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..backends import cpu
from .bodies import Body
from .calls import in_range, in_rows
from .look import Look, Table
from .parts import new
from .statements import Call, Each, Lowered
from .templates import Ref, Value, refs, replaced

if TYPE_CHECKING:
    from ..base.types import Array, Operand, Shape
    from .program import Step

tabled = Table()
I64 = np.dtype(np.int64)
# steps whose results show elements of one operand, each as it is, or 0
TAKEN = ("kernel border", "kernel tril", "kernel triu", "kernel unfold", "vjp tril_vjp0",
         "vjp triu_vjp0", "vjp copy_slices_vjp0", "vjp copy_slices_vjp1", "vjp fold_vjp0",
         "vjp place_vjp0", "kernel getitem")  # fmt: skip
# steps that add up elements of their operand, and the kernel that takes them from there
ADDED = {"vjp border_vjp0": "border", "vjp unfold_vjp0": "unfold", "kernel fold": "unfold",
         "vjp unfold_dimension_vjp0": "unfold_dimension", "vjp slice_vjp0": "slice"}  # fmt: skip


def known(s: Look, shape: Shape, find: Callable[[], Array]) -> Ref:
    """An array of places that ``find`` makes when the program is written to a file."""
    made = places(s, shape)
    s.program.later[made.number] = lambda: np.ascontiguousarray(find(), I64).reshape(-1)
    return made


def places(s: Look, shape: Shape) -> Ref:
    """A new array of places."""
    s.program.values.append(Value((math.prod(shape),), I64, (I64.itemsize,)))
    return Ref(len(s.program.values) - 1)


def call(s: Look, function: str, *operands: Operand, makes: Operand = None) -> Call:
    made = s.step.result if makes is None else makes
    return Call(s.step, function, [*operands], [made.number], [])


def counted(shape: Shape, d: np.dtype[np.generic] = I64) -> Array:
    return np.arange(math.prod(shape), dtype=d).reshape(shape)


# ---- places that are known before ----------------------------------------------------------------
def constants_in(s: Look, template: Operand) -> Operand:
    """A template with the arrays of constants in it."""
    return replaced(template, lambda x: s.program.constants[x.number])


def is_fixed(s: Look, template: Operand) -> bool:
    """Are its arrays constants that no step writes to, as the steps of this table write to none?"""
    numbers = {*refs(template)}
    readers = [t for t in s.program.steps if not numbers.isdisjoint(t.reads())]
    return numbers <= s.program.constants.keys() and all(
        f"{t.kind} {t.name}" in tabled for t in readers
    )


def taking(s: Look, step: Step, x: Operand) -> Callable[[], Array]:
    """Which elements of x a step shows: its own kernel says so, of the numbers from 1 on."""
    shape = s.shape(x)

    def find() -> Array:
        numbers = counted(shape, np.dtype(np.float64)) + 1
        given = [numbers if y == x else constants_in(s, y) for y in step.arguments]
        out = step.function(*given, **constants_in(s, step.attrs))
        return np.asarray(out) - 1

    return find


@tabled.entry(*TAKEN)
def _taken(s: Look) -> list[Lowered] | None:
    x, out = s.given[0], s.step.result
    if not s.numbers(x, out) or not is_fixed(s, (s.step.attrs, s.given[1:])):
        return None
    at = known(s, s.shape(out), taking(s, s.step, x))
    return [call(s, "taken", s.size(out), at, x, out)]


@tabled.entry(*ADDED)
def _added(s: Look) -> list[Lowered] | None:
    g, out = s.given[0], s.step.result
    if not s.numbers(g, out) or not is_fixed(s, s.step.attrs):
        return None
    attrs = {k: v for k, v in s.step.attrs.items() if s.step.kind == "vjp" or k != "size"}
    name, shape = ADDED[f"{s.step.kind} {s.step.name}"], s.shape(out)

    def find() -> Array:
        d = np.dtype(np.float64)
        kernel = getattr(cpu.of(d), name)
        return np.asarray(kernel(counted(shape, d) + 1, **constants_in(s, attrs))) - 1

    at = known(s, s.shape(g), find)
    return [call(s, "added", s.size(g), s.size(out), at, g, out)]


@tabled.entry("kernel place")
def _place(s: Look) -> list[Lowered] | None:
    """Into zeros, at an index that is known."""
    x, out = s.given[0], s.step.result
    if not s.numbers(x, out) or not is_fixed(s, s.attr("index")):
        return None
    index, shape = constants_in(s, s.attr("index")), s.shape(out)
    at = known(s, s.shape(x), lambda: np.broadcast_to(counted(shape)[index], s.shape(x)))
    return [_add(s, at, x)]


@tabled.entry("method copy", "kernel copy", "vjp copy_vjp1", "kernel clone",
              "kernel scale_gradient", "kernel laid", "numpy laid", "method laid")
def _copied(s: Look) -> list[Lowered] | None:  # fmt: skip
    """Integers, too; and what is written over another value is a copy of it."""
    x, out = s.given[1 if s.step.name == "copy" and len(s.given) > 1 else 0], s.step.result
    if type(x) is not Ref or s.program.values[x.number].dtype != s.program.values[out.number].dtype:
        return None
    if s.program.values[x.number].dtype.kind not in "fiu" or s.shape(x) != s.shape(out):
        return None
    return [Each(s.step, out.number, "x", {"x": x})]


# ---- places that an index says -------------------------------------------------------------------
@tabled.entry("kernel check_gathered", "kernel check_along", "kernel check_flat")
def _check(s: Look) -> list[Lowered] | None:
    if s.step.name == "check_gathered":
        index, bound, least = s.given[1], s.given[4], 0
    elif s.step.name == "check_flat":
        (index, bound), least = s.given, -s.given[1]
    else:
        index, bound, least = s.given[0], s.given[3], s.given[4]
    if type(index) is not Ref or not s.rows(in_rows(s, index), kind="int64"):
        return None
    return [in_range(s, index, least, bound, least)]


def through_index(s: Look, shape: Shape, index: Operand) -> tuple[Ref, Shape, list[Lowered]] | None:
    """The places in an array of ``shape`` that ``x[index]`` has, and the shape that it has."""
    parts = [*index] if isinstance(index, (tuple, list)) else [index]
    if not all(x is None or x is Ellipsis or type(x) in (int, slice, Ref) for x in parts):
        return None
    if Ellipsis not in [x for x in parts if type(x) is not Ref]:
        parts.append(Ellipsis)
    used = len([x for x in parts if x is not None and x is not Ellipsis])
    at = next(i for i, x in enumerate(parts) if x is Ellipsis)
    parts[at : at + 1] = [slice(None)] * (len(shape) - used)
    dims = [sum(y is not None for y in parts[:i]) for i in range(len(parts))]
    arrays = [(dims[i], x) for i, x in enumerate(parts) if type(x) is Ref]
    if not arrays or not all(s.rows(x, kind="int64") for _, x in arrays):
        return None
    common = np.broadcast_shapes(*[s.shape(x) for _, x in arrays])

    def at_zero(x: Operand) -> Operand:
        return np.zeros(common, np.int64) if type(x) is Ref else x

    nothing = np.broadcast_to(np.empty(1, np.int8), shape)
    taken: Shape = nothing[tuple(map(at_zero, parts))].shape

    def base() -> Array:
        found: Array = counted(shape)[tuple(map(at_zero, parts))]
        return found

    def which(x: Ref) -> Array:
        """To which element of an index each element of the result belongs."""
        first = arrays[0][0]
        like = tuple([math.prod(common) if d == first else 1 if d in dict(arrays) else n
                      for d, n in enumerate(shape)])  # fmt: skip
        line = [-1 if d == first else 1 for d in range(len(shape))]
        numbers = np.broadcast_to(counted((math.prod(common),)).reshape(line), like)
        chosen = [counted(common) if y is arrays[0][1] else at_zero(y) for y in parts]
        each = np.broadcast_to(counted(s.shape(x)), common).reshape(-1)
        found: Array = each[numbers[tuple(chosen)]]
        return found

    done: list[Lowered] = []
    found = known(s, taken, base)
    for d, x in arrays:
        to = places(s, taken)
        step = math.prod(shape[d + 1 :])
        done.append(in_range(s, x, -shape[d], shape[d], 0))
        which_one = known(s, taken, partial(which, x))
        sizes = [math.prod(taken), shape[d], step]
        done.append(call(s, "along", *sizes, found, which_one, x, to, makes=to))
        found = to
    return found, taken, done


def along(s: Look, shape: Shape, index: Operand, dim: int) -> tuple[Ref, list[Lowered]]:
    """The places in an array of ``shape`` whose number along ``dim`` an index says."""
    dim %= len(shape)
    own = s.shape(index)

    def find() -> Array:
        corner = tuple([slice(1 if d == dim else n) for d, n in enumerate(own)])
        return np.broadcast_to(counted(shape)[corner], own)

    to = places(s, own)
    sizes = [s.size(index), shape[dim], math.prod(shape[dim + 1 :])]
    given = [*sizes, known(s, own, find), None, index, to]
    return to, [call(s, "along", *given, makes=to)]


def _take(s: Look, at: Ref, x: Operand) -> Lowered:
    return call(s, "taken", s.size(s.step.result), at, x, s.step.result)


def _add(s: Look, at: Ref, g: Operand) -> Lowered:
    return call(s, "added", s.size(g), s.size(s.step.result), at, g, s.step.result)


@tabled.entry("kernel index", "vjp index_vjp0", "vjp index_put_vjp1", "kernel index_put")
def _index(s: Look) -> list[Lowered] | None:
    x, out, put = s.given[0], s.step.result, s.step.name == "index_put"
    if not s.numbers(x, out):
        return None
    if put and (mask := mask_of(s)) is not None:
        return [Each(s.step, out.number, "where(z == 0, x, y)",
                     {"x": x, "y": s.given[1], "z": mask})]  # fmt: skip
    added = s.step.name == "index_vjp0"
    found = through_index(s, s.shape(out if added else x), s.attr("index"))
    if found is None:
        return None
    at, shape, done = found
    if not put:
        return [*done, _add(s, at, x) if added else _take(s, at, x)]
    values = s.given[1]
    if not s.numbers(x, values) or (s.shape(values) != shape and s.size(values) != 1):
        return None
    single = s.size(values) == 1
    sizes = [math.prod(shape), s.size(out), bool(s.attr("accumulate")), single]
    return [*done, call(s, "put_at", *sizes, at, x, values, out)]


def mask_of(s: Look) -> Operand:
    """The mask of ``x[mask] = number``, where it is as large as x, or None."""
    index, value = s.attr("index"), s.given[1]
    mask = index[0] if isinstance(index, (tuple, list)) and len(index) == 1 else index
    fits = type(mask) is Ref and s.program.values[mask.number].dtype.kind == "b" and (
        s.shape(mask) == s.shape(s.given[0]) and not s.attr("accumulate")
    )  # fmt: skip
    return mask if fits and type(value) is Ref and s.size(value) == 1 else None


WAYS = (None, "sum", "prod", "amax", "amin")  # of put_at in c/places.c, by number
CHOSEN = "gather sort max min topk kthvalue median nanmedian mode cummax cummin".split()


@tabled.entry(*(f"{kind} {name}{end}" for name in (*CHOSEN, "scatter_sum")
                for kind, end in (("kernel", ""), ("vjp", "_vjp0"))),
              "vjp scatter_vjp2", "kernel scatter", "kernel scatter_reduce")
def _gather(s: Look) -> list[Lowered] | None:  # fmt: skip
    """x is read at the index, or g is added there; a scatter writes there."""
    refs = [y for y in s.given if type(y) is Ref]
    x, out, dim, name = s.given[0], s.step.result, s.attr("dim"), s.step.name
    index = next((y for y in refs if y != x and s.program.values[y.number].dtype == I64), None)
    if index is None or not s.rows(index, kind="int64") or not s.shape(index):
        return None
    if not s.numbers(x, out):
        return None
    adds = name == "scatter_sum" or (s.step.kind == "vjp" and not name.startswith("scatter"))
    at, done = along(s, s.shape(out if adds else x), index, dim)
    if name in ("scatter", "scatter_reduce"):
        values = s.given[2]
        single = type(values) is Ref and s.size(values) == 1
        if not s.numbers(x, values) or (not single and s.shape(values) != s.shape(index)):
            return None
        way = WAYS.index(s.attr("reduce")) if name == "scatter_reduce" else 0
        sizes = [s.size(index), s.size(out), way, single]
        return [*done, call(s, "put_at", *sizes, at, x, values, out)]
    if adds:
        return [*done, _add(s, at, x)] if s.size(x) == s.size(index) else None
    return [*done, _take(s, at, x)] if s.size(out) == s.size(index) else None


# ---- what is picked ------------------------------------------------------------------------------
PICKED = ("max_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d", "fractional_max_pool2d",
          "fractional_max_pool3d", "read_at_places")


@tabled.entry(*(f"{kind} {name}{end}" for name in PICKED
                for kind, end in (("kernel", ""), ("vjp", "_vjp0"))))  # fmt: skip
def _picked(s: Look) -> list[Lowered] | None:
    """Flat places in each image or volume."""
    vjp, x, out = s.step.kind == "vjp", s.given[0], s.step.result
    index = s.given[3] if vjp else s.given[1]
    if not s.numbers(x, out) or not s.rows(index, kind="int64"):
        return None
    shape, own = s.shape(out if vjp else x), s.shape(index)
    plane = math.prod(shape[2:])

    def find() -> Array:
        images = counted(shape[:2]).reshape(*shape[:2], *[1] * (len(own) - 2))
        return np.broadcast_to(images * plane, own)

    to = places(s, own)
    done = call(s, "along", s.size(index), plane, 1, known(s, own, find), None, index, to, makes=to)
    return [done, _add(s, to, x) if vjp else _take(s, to, x)]


@tabled.entry("kernel pool_gather", "kernel pool_scatter")
def _at_places(s: Look) -> list[Lowered] | None:
    """Places in each window, counted along the kernel; of those in the border there is no element.
    """
    (x, place), out, adds = s.given, s.step.result, s.step.name == "pool_scatter"
    if not s.rows(x, out) or not s.lies_in_rows(place):
        return None
    own, (*images, h, w) = s.shape(place), s.shape(out if adds else x)
    kernel, stride, padding = s.attr("kernel"), s.attr("stride"), s.attr("padding")
    each = (*own[2:], math.prod(kernel))

    def elements() -> Array:
        """Of one image, by window and place; -1 in the border."""
        i, j, k, m = np.indices((*own[2:], *kernel))
        row, column = (at * stride[d] - padding[d][0] + step * s.attr("dilation")[d]
                       for d, (at, step) in enumerate(((i, k), (j, m))))  # fmt: skip
        inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
        return np.where(inside, row * w + column, -1)

    def begins() -> Array:
        return np.broadcast_to(counted(each)[..., 0], own)

    def firsts() -> Array:
        return np.broadcast_to(counted((*images, 1, 1)) * (h * w), own)

    body, which, to = Body(s), places(s, own), places(s, own)
    flat = body.seen(place, (s.size(place),))
    body.each("x + y", (s.size(place),), which, x=flat, y=known(s, own, begins))
    none = -math.prod(images) * h * w  # what is added to a negative number, which stays one
    tables = known(s, own, firsts), which, known(s, each, elements)
    found = call(s, "along", s.size(place), none, 1, *tables, to, makes=to)
    return [*body.done, found, _add(s, to, x) if adds else _take(s, to, x)]


@tabled.entry("whole places_of_maxima")
def _places_of_maxima(s: Look) -> list[Lowered] | None:
    x, out, tables = s.given[0], s.step.result, s.attr("taps")
    if not s.rows(x) or not s.rows(out, *tables, kind="int64") or len(tables) > 3:
        return None
    shapes = [s.shape(t) for t in tables]
    if any(len(shape) != 2 for shape in shapes):
        return None
    missing = 3 - len(tables)
    sizes = [*[1] * missing, *s.shape(x)[2:]]
    counts = [n for shape in [(1, 1)] * missing + shapes for n in shape]
    images = math.prod(s.shape(x)[:2])
    return [call(s, "places_of_maxima", images, *sizes, *counts, *[None] * missing, *tables, x,
                 out)]  # fmt: skip


@tabled.entry("numpy argmax", "numpy argmin", "numpy argsort")
def _order(s: Look) -> list[Lowered] | None:
    """Along any dimension: as rows."""
    x, out = s.given[0], s.step.result
    dim = s.given[1] if len(s.given) > 1 else s.attr("axis")
    if type(x) is not Ref or not s.rows(out, kind="int64"):
        return None
    shape, body = s.shape(x), Body(s)
    if dim is None and s.step.name != "argsort":  # of all
        shape, dim = (s.size(x),), 0
    if type(dim) is not int:
        return None
    if s.rows(x, kind="bool") and s.step.name != "argsort":
        truths, x = x, Ref(new(s.program, shape, out.number))
        body.done.append(Each(s.step, x.number, "x", {"x": truths}))
    if not shape or not s.size(x) or not (s.rows(x) or s.rows(x, kind="int64")):
        return None
    dim %= len(shape)
    order = [*[i for i in range(len(shape)) if i != dim], dim]
    turned = x if dim == len(shape) - 1 else body.moved(x, order)
    size = [s.size(x) // shape[dim], shape[dim]]
    if s.step.name != "argsort":
        sign = -1 if s.step.name == "argmin" else 1
        return [*body.done, call(s, "argmax", *size, sign, turned, out)]
    if s.attr("kind") != "stable":
        return None
    if turned == x:
        return [call(s, "argsort", *size, x, out)]
    made = Ref(new(s.program, s.shape(turned), out.number))
    body.done.append(call(s, "argsort", *size, turned, made, makes=made))
    body.back(made, order, out)
    return body.done


# ---- along a dimension ---------------------------------------------------------------------------
def around(shape: Shape, dim: Operand) -> list[int]:
    """The sizes before a dimension, of it, and after it; None: all are one."""
    if dim is None or not shape:
        return [1, math.prod(shape), 1]
    dim %= len(shape)
    return [math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])]


@tabled.entry("kernel taps", "kernel tapped", "vjp taps_vjp0", "vjp tapped_vjp0")
def _taps(s: Look) -> list[Lowered] | None:
    x, out, index, weight = s.given[0], s.step.result, s.attr("index"), s.attr("weight")
    if not s.rows(x, out) or not s.rows(index, kind="int64") or not is_fixed(s, (index, weight)):
        return None
    if type(weight) is not Ref:
        return None
    reads = s.step.name in ("taps", "tapped_vjp0")
    taps, m = s.shape(index)
    outer, n, inner = around(s.shape(x if reads else out), s.attr("dim"))
    before: list[Lowered] = []
    if s.program.values[weight.number].dtype != s.program.values[x.number].dtype:
        cast = Ref(new(s.program, s.shape(weight), x.number))
        before.append(Each(s.step, cast.number, "x", {"x": weight}))
        weight = cast
    sizes = [outer, n, inner, taps, m]
    return [*before, call(s, "taps" if reads else "tapped", *sizes, index, weight, x, out)]


@tabled.entry(*(f"{kind} {name}{end}" for name in ("cumsum", "cumprod", "prod")
                for kind, end in (("kernel", ""), ("vjp", "_vjp0"))))  # fmt: skip
def _running(s: Look) -> list[Lowered] | None:
    """Of integers, too."""
    out, vjp = s.step.result, s.step.kind == "vjp"
    multiplies = not s.step.name.startswith("cumsum")
    given = [s.given[0], s.given[2]] if vjp and multiplies else [s.given[0]]
    dim, done, kind = s.attr("dim"), [], s.program.values[given[0].number].dtype.kind
    if not multiplies and not vjp and s.rows(out, kind="int64") and kind == "b":
        ones = Ref(new(s.program, s.shape(out), out.number))
        done = [Each(s.step, ones.number, "x", {"x": given[0]})]
        given = [ones]
    whole = s.rows(*given, out, kind="int64")
    if not (whole or s.rows(*given, out)) or type(dim) not in (int, type(None)):
        return None
    if multiplies:
        return [call(s, s.step.name, *around(s.shape(given[-1]), dim), *given, out)]
    return [*done, call(s, "cumsum", *around(s.shape(out), dim), vjp, *given, out)]
