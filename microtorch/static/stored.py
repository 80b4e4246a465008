"""A program as plain data, for a file, and back. No code is stored: kernels are named."""
from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import draws
from ..backends import cpu, definitions
from ..backends.reference import UFUNCS
from ..backends.table import laying, layouts
from ..base.errors import message
from ..engine.record import constant
from ..graph import Site
from .program import Leaf, Program, Step, Writer
from .recorded import METHODS, OPERATORS, of_array
from .supposed import suppose
from .templates import Ref, Unread, Value

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from .entry import Entry

VERSION = 1


def plain(x: Operand) -> Operand:
    """A template as lists of numbers and strings. ValueError for what has no such form."""
    if type(x) is Ref:
        return ["value", x.number]
    if isinstance(x, Unread):
        return ["unread", list(x.shape), x.dtype.name]
    if type(x) in (bool, int, float, str, type(None)):
        return ["is", x]
    if type(x) is tuple:
        return ["tuple", [plain(y) for y in x]]
    if type(x) is list:
        return ["list", [plain(y) for y in x]]
    if type(x) is dict:
        return ["dict", [[k, plain(y)] for k, y in x.items()]]
    if type(x) is slice:
        return ["slice", [plain(y) for y in (x.start, x.stop, x.step)]]
    if x is Ellipsis:
        return ["..."]
    if isinstance(x, np.dtype):
        return ["dtype", x.name]
    raise ValueError(f"a {type(x).__name__}")


def template(x: Operand) -> Operand:
    """The inverse of ``plain``."""
    kind = x[0]
    if kind == "value":
        return Ref(x[1])
    if kind == "unread":
        return Unread(tuple(x[1]), np.dtype(x[2]))
    if kind == "is":
        return x[1]
    if kind == "dict":
        return {k: template(y) for k, y in x[1]}
    if kind == "...":
        return Ellipsis
    if kind == "dtype":
        return np.dtype(x[1])
    parts = [template(y) for y in x[1]]
    return parts if kind == "list" else slice(*parts) if kind == "slice" else tuple(parts)


def stored(entry: Entry, outputs: Operand, names: dict[int, str]) -> dict[str, Operand]:
    """A forward program as data. RuntimeError says what in it cannot be stored."""
    p = entry.program
    if entry.written or entry.new_grads or any(o.kind in ("leaf", "number") for o in entry.outputs):
        raise RuntimeError(
            message(
                f"{p.name} cannot be saved as a program: it writes to memory or to gradients",
                fix="save a module in eval() mode, called on an example under no_grad()",
            )
        )
    steps: list[Operand] = []
    for s in p.steps[: p.split]:
        try:
            given, attrs = plain(s.arguments), plain(s.attrs)
            steps.append([s.name, s.kind, given, attrs, plain(s.result), str(s.site), s.number])
        except ValueError as e:
            what = f"{s.name} at {s.site} cannot be saved: it is given {e}"
            raise RuntimeError(message(what)) from None
        try:
            function_of(s.kind, s.name, cpu.of(np.dtype(np.float32)))
        except ValueError:
            what = f"{s.name} at {s.site} cannot be saved: it is no kernel, but Python"
            raise RuntimeError(message(what, fix="torch.save(model.state_dict(), f)")) from None
    leaves = [
        [x.number, x.place if x.kind == "argument" else -1, names.get(x.number, x.name)]
        for x in entry.leaves
    ]
    values = [[list(v.shape), v.dtype.name, list(v.strides)] for v in p.values]
    kept = {x.number: x.array for x in entry.leaves if x.kind == "tensor"} | p.constants
    return {
        "format": "microtorch program", "version": VERSION, "name": p.name, "steps": steps,
        "leaves": leaves, "values": values, "outputs": plain(outputs),
        "gives": list(entry.gives), "fresh": sorted(p.fresh),
        "arrays": {str(n): constant(a.copy()) for n, a in kept.items()},
    }  # fmt: skip


def function_of(kind: str, name: str, dev: Operand) -> Kernel:
    """What a step calls, by its kind and name. ValueError for a name that is none of these."""
    if kind == "suppose":
        return suppose
    allowed = {
        "kernel": name in definitions or name in UFUNCS or name in KERNELS,
        "operator": name in OPERATORS,
        "method": name in METHODS,
        "draw": name in DRAWS,
        "numpy": name in NUMPY or isinstance(getattr(np, name, None), np.ufunc),
    }
    if not allowed.get(kind):
        raise ValueError(message(f"a stored program calls {kind} {name}, which is not known"))
    if kind == "method":
        return of_array(name)
    found: Operand = {
        "kernel": dev, "operator": operator, "draw": draws, "numpy": np,
    }[kind]  # fmt: skip
    for part in name.split("."):
        found = getattr(found, part)
    kernel: Kernel = found
    return laying(kernel, layouts[name]) if kind == "kernel" and name in layouts else kernel


KERNELS = frozenset("laid pow sign remainder fmod erf erfc empty zeros full".split())
DRAWS = frozenset(
    "uniform normal normal_tensors trunc_normal exponential log_normal cauchy geometric bernoulli "
    "dropout_noise random randint randperm multinomial".split()
)
# functions of numpy that a stored program may call: they compute, and touch no file
NUMPY = frozenset(
    "add.reduce maximum.reduce minimum.reduce multiply.reduce add.accumulate multiply.accumulate "
    "where concatenate stack broadcast_to take_along_axis expand_dims moveaxis swapaxes squeeze "
    "zeros_like ones_like full_like clip cumsum cumprod sum mean flip roll repeat tile pad argmax "
    "argmin argsort sort take dot matmul einsum asarray".split()
)


def restored(data: dict[str, Operand]) -> tuple[Program, Kernel, dict[int, Array]]:
    """A stored program, the function that runs it, and the arrays that it keeps."""
    p = Program(data["name"])
    p.values = [Value(tuple(s), np.dtype(d), tuple(t)) for s, d, t in data["values"]]
    kept = {int(n): t.array for n, t in data["arrays"].items()}
    for name, kind, given, attrs, result, site, number in data["steps"]:
        to = template(result)
        dtype = p.values[to.number].dtype if type(to) is Ref else np.dtype(np.float32)
        file, _, line = site.rpartition(":")
        at = Site(file, int(line), None, None, None, "")
        function = function_of(kind, name, cpu.of(dtype))
        p.steps.append(
            Step(name, function, template(given), template(attrs), to, at, kind, number=number)
        )
    p.split = len(p.steps)
    p.outputs, p.returned = template(data["outputs"]), [*data["gives"]]
    for n, place, name in data["leaves"]:
        array = kept.get(n, np.broadcast_to(np.zeros((), p.values[n].dtype), p.values[n].shape))
        kind = "argument" if place >= 0 else "tensor"
        p.leaves.append(Leaf(n, kind, place, constant(array), array, name))
    p.constants = {n: a for n, a in kept.items() if n not in {x.number for x in p.leaves}}
    takes = [n for n, place, _ in data["leaves"] if place >= 0]
    w = Writer(p)
    known = {*takes, *kept}
    for n, array in kept.items():
        w.names[f"v{n}"] = array
        if n in data["fresh"] or n in data["gives"]:
            w.lines.append(f"v{n} = {w.constant(array, 'c')}.copy('K')")
    for step in p.steps:
        w.step(step, known)
        known.update(step.gives())
    gives = "".join(f"v{n}, " for n in data["gives"])
    return p, w.function("program", takes, f"({gives})"), kept
