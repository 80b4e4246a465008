"""A whole training as one page: optimizer steps on one axis, the parts of a step on the other.

The page (page/training.html) gets, for every step, the loss and the size of each gradient and
update; for up to 50 moments, the weights and gradients of each parameter as small pictures (one
byte per weight) and, per unit, the elements that move most, with all that the optimizer made of
them. The file stays below 2 MB: where it would not, there are fewer moments.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from microtorch.base import errors

from ..drawing import onefile
from ..reading.snapshots import Moment, Snapshots
from ..reading.trace import Trace
from ..telling.words import display_names, expression

if TYPE_CHECKING:
    from .recording import Recording

JSON: TypeAlias = dict[str, Any]
MOMENTS, COLUMNS, TOP = 50, 2000, 4  # moments; columns of losses; elements shown of a unit
LARGEST = 1_900_000  # characters of the page
AROUND = 2  # lines of source shown around those that ran


def page(rec: Recording) -> str:
    """The page. Raises GraphError for a recording without a step."""
    if not rec.steps:
        what = "nothing was recorded: no backward() ran inside the block"
        raise errors.GraphError(errors.message(what))
    script = onefile.script("charts.js", "training.js")
    look = onefile.look("charts.css", "training.css")
    count = MOMENTS
    while True:
        text = onefile.page("training.html", "training", data(rec, count), script, look)
        if len(text) <= LARGEST or count <= 2:
            return text
        count = max(2, count * 3 // 4)


def data(rec: Recording, count: int = MOMENTS) -> JSON:
    """What the page shows, with at most ``count`` moments."""
    taken = rec.snapshots
    moments = _spread([m for m in taken.moments if m.new], count)
    columns = _columns(len(rec), COLUMNS)
    names = [n for n in rec.names if n in taken.units]
    newest = next((s.trace for s in reversed(rec.steps) if s.trace is not None), None)
    return {
        "steps": len(rec),
        "epoch": rec.epoch or 0,
        "optimizer": taken.optimizer,
        "columns": columns,
        "loss": [_short(v) for v in _means(rec.losses, columns)],
        "params": [_parameter(rec, taken, n, columns) for n in names],
        "moments": [_moment(m, names, taken) for m in moments],
        "left": [k for k, s in enumerate(rec.steps) if s.left][:COLUMNS],
        "graph": None if newest is None else _graph(newest, rec),
        "source": None if newest is None else _source(newest),
    }


def _spread(moments: Sequence[Moment], count: int) -> list[Moment]:
    """At most so many, the first and the last among them."""
    if len(moments) <= count:
        return list(moments)
    return [moments[k] for k in np.linspace(0, len(moments) - 1, count).round().astype(int)]


def _columns(n: int, most: int) -> list[int]:
    """The first step of each column, and the end of the last."""
    ends: list[int] = np.linspace(0, n, min(n, most) + 1).astype(int).tolist()
    return ends


def _means(values: Sequence[float | None], columns: list[int]) -> list[float | None]:
    out: list[float | None] = []
    for a, b in pairwise(columns):
        seen = [v for v in values[a:b] if v is not None]
        out.append(float(np.mean(seen)) if seen else None)
    return out


def _short(v: float | None, digits: int = 4) -> float | None:
    return None if v is None else float(f"{v:.{digits}g}")


# ---- parameters ----------------------------------------------------------------------------------
def _parameter(rec: Recording, taken: Snapshots, name: str, columns: list[int]) -> JSON:
    shape = taken.shapes[name]
    wide = [s.updates.get(name) for s in rec.steps]
    return {
        "n": name,
        "s": list(shape),
        "units": taken.units[name],
        "hw": _picture(shape),
        "grad": [_short(v, 3) for v in _means(rec.gradients(name), columns)],
        "update": [_short(v, 3) for v in _means(wide, columns)],
    }


def _picture(shape: tuple[int, ...]) -> list[int]:
    """Height and width in which the weights of one unit are shown: an image where they can be."""
    if len(shape) >= 4:  # a convolution: its kernels, one below the other
        return [int(np.prod(shape[1:-1])), shape[-1]]
    size = int(np.prod(shape[1:])) if len(shape) > 1 else int(np.prod(shape))
    side = round(size**0.5)
    if side * side == size and size >= 16:
        return [side, side]
    return [-(-size // 32), min(size, 32)]


def _bytes(x: np.ndarray) -> JSON:
    """One byte per element, -127 to 127 times ``k``."""
    top = float(np.abs(x[np.isfinite(x)]).max(initial=0.0))
    scaled = np.zeros(x.shape) if top == 0 else np.nan_to_num(x) / top * 127
    text = base64.b64encode(np.clip(scaled, -127, 127).round().astype(np.int8).tobytes()).decode()
    return {"b": text, "k": _short(top / 127)}


def _moment(m: Moment, names: list[str], taken: Snapshots) -> JSON:
    return {
        "o": m.number,
        "p": [_around(m, n) if n in m.new and n in m.grad else None for n in names],
    }


def _around(m: Moment, name: str) -> JSON:
    old, new, grad = m.old[name], m.new[name], m.grad[name]
    state = m.state.get(name, {})
    rows = []
    for u in range(len(new)):
        moved = np.abs(new[u] - old[u])
        top = np.argsort(-np.nan_to_num(moved), kind="stable")[:TOP]
        rows.append([
            [int(k), *(_short(float(x[u, k]), 6) for x in (old, grad, *state.values(), new))]
            for k in top
        ])  # fmt: skip
    return {
        "w": _bytes(new), "was": _bytes(old)["k"], "g": _bytes(grad), "top": rows,
        "state": list(state), "set": m.settings.get(name, {}),
    }  # fmt: skip


# ---- the graph and the source --------------------------------------------------------------------
def _graph(trace: Trace, rec: Recording) -> JSON:
    """The ops in order, what each reads, and the parameters by their names in the recording."""
    names = display_names(trace)
    known = {n: k for k, n in enumerate(n for n in rec.names if n in rec.snapshots.units)}
    nodes = []
    for t in trace.nodes:
        if t.role == "constant":
            continue
        nodes.append({
            "i": t.id, "n": names[t.id], "r": t.role, "op": t.op, "s": t.shape,
            "x": expression(trace, t.id, names) if t.op else "", "g": int(t.needs),
            "in": t.inputs, "p": known.get(names[t.id], -1),
            "line": t.site.line if t.site is not None and t.op else 0,
        })  # fmt: skip
    return {"nodes": nodes}


def _source(trace: Trace) -> JSON | None:
    """The lines from the first op to the end of the loop around it, with what each of them does."""
    sites = [t.site for t in trace.nodes if t.site is not None and t.op]
    if not sites:
        return None
    file = sites[-1].file
    lines = trace.files.get(file, [])
    own = [s.line for s in sites if s.file == file]
    if not lines or not own:
        return None
    marks: JSON = {}
    first = max(1, min(own) - AROUND)
    last = max(own)
    indent = _indent(lines[last - 1])
    for k in range(first, min(len(lines), max(own) + 14) + 1):
        text = lines[k - 1]
        if k > max(own) and text.strip() and _indent(text) < indent:
            break
        for word, phase in (("zero_grad", "zero"), (".backward(", "backward"), (".step(", "step")):
            if word in text and not text.lstrip().startswith("#"):
                marks.setdefault(phase, k)
                last = max(last, k)
    shown = [[k, lines[k - 1][:200]] for k in range(first, last + 1)]
    return {"name": file.replace("\\", "/").rpartition("/")[2], "lines": shown, "marks": marks}


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
