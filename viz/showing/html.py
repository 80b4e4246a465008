"""The stepper as one HTML file: Trace -> text. It needs no network and no library.

The page is made of a template (page/page.html), its style and its script, and of two parts from the
trace: the picture (scene.py), and the data of the steps as JSON, which the script reads. The user's
strings stand only in that JSON and in escaped text, and the script puts them on the page as text,
never as markup. A Content-Security-Policy allows nothing but the one script and the one style whose
hashes it names.

Numbers are Python's. The formulas are in the page too (javascript.py), and each small tensor op as
a program of them (reading/replay.py), so that it can answer "what if w[1, 0] were 2?"; only then
does the script compute.
"""

from __future__ import annotations

import math
import os
import random
import re
from dataclasses import asdict
from typing import Any, TypeAlias, TypedDict

from microtorch.notation import expr, formulas
from microtorch.notation.formulas import LETTERS

from ..asking.grids import Grid, grids
from ..drawing import onefile
from ..reading import attention, numbers
from ..reading.arithmetic import function
from ..reading.loops import loop, opening
from ..reading.recurrence import Recurrence
from ..reading.replay import program, registered
from ..reading.special import SPECIAL
from ..reading.trace import Contribution, Push, Step, Trace, TraceNode, Value
from ..telling.steps import attributes, remark, rule_of, written
from ..telling.words import display_names, expression
from . import javascript
from .geometry import ALGEBRA, KNOWN, NORMS, WINDOWS, geometry
from .scene import Scene, scene

JSON: TypeAlias = dict[str, Any]  # what the page's script reads
SCRIPTS = (  # one script in parts, by purpose; a part's constants may use those of parts above it
    "state.js", "graph.js", "camera.js", "near.js", "links.js", "lens.js", "matrix.js", "reals.js",
    "special.js", "tape.js", "linalg.js", "picks.js", "norms.js", "products.js",
    "window.js", "recurrence.js", "attention.js", "whatif.js", "source.js", "explain.js",
    "check.js", "tools.js", "travel.js", "forward.js", "steps.js",
)  # fmt: skip
FORWARD = "forward.js"  # what only a page of forward mode needs
TENSORS = (  # what a page of single numbers does not need
    "matrix.js", "reals.js", "tape.js", "linalg.js", "picks.js", "norms.js", "products.js",
    "window.js", "recurrence.js", "attention.js", "whatif.js",
)  # fmt: skip
USERS = {  # what only some ops need
    "linalg.js": ALGEBRA,
    "tape.js": ALGEBRA | {"ctc_loss"},
    "special.js": frozenset(SPECIAL),
}
CONTEXT, GAP = 2, 5  # lines of source shown around those that ran; a longer gap is folded
LONGEST = 2000  # characters of a line of source
SLOPES = {
    "zero": 0.0,
    "one": 1.0,
    "minus": -1.0,
    "flat": 0.03,
    "lost": math.nan,
    "any": 0.7,
}  # what remarks differ by
VARIANTS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)  # magnitudes of leaves in a student's own quiz


class Quiz(TypedDict):
    """The page as a quiz. ``seed``: a student's number or name, who then gets own values."""

    seed: object


def page(trace: Trace, quiz: Quiz | None = None) -> str:
    """The whole page for a trace with steps. ``quiz``: {"seed": s} starts it as a quiz.

    Raises RenderError without Graphviz and GraphTooLarge for graphs that no picture can show.
    """
    drawn = scene(trace)
    data = _data(trace, drawn)
    data["quiz"] = None if quiz is None else _quiz(trace, data, quiz["seed"])
    ops = {n.op for n in trace.nodes if javascript.can(n.op) or n.op in SPECIAL}
    ops.update(op for p in data["prog"].values() for op in p["n"])
    without = {*(TENSORS if data["live"] else ()), *(() if trace.mode == "forward" else (FORWARD,))}
    made = {n.op for n in trace.nodes}
    without |= {part for part, users in USERS.items() if not made & users}
    parts = [p for p in SCRIPTS if p not in without]
    script = onefile.script(*parts, before=javascript.table(ops))
    sheets = ("page.css",) if data["live"] else ("page.css", "tensors.css")
    look = onefile.look(*sheets, pairs=drawn.colours)
    return onefile.page("page.html", data["title"], data, script, look, svg=drawn.svg)


# ---- data ----------------------------------------------------------------------------------------
def _data(trace: Trace, drawn: Scene) -> JSON:
    names = display_names(trace)
    live = all(not n.shape and (javascript.can(n.op) or not n.op) for n in trace.nodes)
    live = live and all(
        _attrs(n) is not None and n.number is not None and not isinstance(n.number, complex)
        for n in trace.nodes
    )
    files, places = _sources(trace)
    nodes = [_node(trace, t, names, drawn, places, live) for t in trace.nodes]
    steps = [_step(trace, s, names, drawn, live) for s in trace.steps]
    loops: dict[
        tuple[str, str], int
    ] = {}  # what is said of a step's loop in C, and its text -> place in the list
    for s, data in zip(trace.steps, steps, strict=True):
        data["C"] = loops.setdefault(loop(trace, s), len(loops))
    return {
        "title": names[trace.root],
        "root": trace.root,
        "tops": sorted(trace.roots.values()) or [trace.root],
        "live": live,
        "over": trace.over,
        "separate": drawn.separate,
        "nodes": nodes,
        "steps": steps,
        "files": files,
        "loops": [(said, text, opening(text)) for said, text in loops],
        "zoom": {} if live or trace.over else _grids(trace, names),
        "rolls": [] if live or trace.over else [_rolled(trace, r) for r in trace.recurrences],
        "attention": {} if live or trace.over else attention.find(trace),
        "tokens": trace.tokens,
        "origins": [asdict(o) for o in trace.origins],
        "prog": {} if live or trace.over else _programs(trace),
    }


def _grids(trace: Trace, names: list[str]) -> dict[int, Grid]:
    """The sums of the cells of small ops; those of windows, the page reads off their geometry."""
    return {i: g for i, g in grids(trace, names).items() if not _is_told(trace.nodes[i])}


def _rolled(trace: Trace, r: Recurrence) -> JSON:
    """A recurrence: the nodes of its passes, and what stands in its box."""
    last = trace.nodes[r.states[-1].nodes[-1]]
    call = None if last.module is None else trace.modules[last.module].type
    return asdict(r) | {"title": call or "cell", "code": trace.line(last.site)}


def _is_told(t: TraceNode) -> bool:
    """Does the page have words of its own for it?"""
    return t.op in WINDOWS | NORMS and geometry(t) is not None


def _programs(trace: Trace) -> JSON:
    """The ops that the page can run on other values, by node: inputs, constants, ops, results."""
    steady = {i: program(a) for i, a in (trace.arithmetic or {}).items() if a.steady}
    out: JSON = {}
    for i, made in (trace.programs | steady).items():
        if made is not None and not _is_told(trace.nodes[i]):
            used = sorted({op for op, _ in made.ops})
            ops = [[used.index(op), *reads] for op, reads in made.ops]
            data = {"i": made.inputs, "c": made.constants, "n": used, "o": ops}
            out[str(i)] = data | {"r": made.results}
    return out


def _attrs(t: TraceNode) -> dict[str, float] | None:
    """The static arguments of an op as numbers; None where one has no value."""
    if not t.op:
        return {}
    wanted = javascript.static_arguments(t.op)
    out = {k: v for k, v in {**wanted, **attributes(t)}.items() if k in wanted}
    known = {k: v for k, v in out.items() if v is not None}
    return known if len(known) == len(out) else None


def _node(
    trace: Trace,
    t: TraceNode,
    names: list[str],
    drawn: Scene,
    places: dict[int, list[int]],
    live: bool,
) -> JSON:
    out: JSON = {
        "n": names[t.id],
        "r": t.role,
        "i": t.inputs,
        "v": _value(t.value),
        "G": _value(t.grad),
    }
    out["box"] = drawn.units.get(t.id, "")
    if trace.top(t.id) != trace.root:
        out["t"] = trace.top(t.id)
    if t.op:
        out |= {"op": t.op, "x": expression(trace, t.id, names)}
        if (text := _numbers_of(trace, t)) is not None:
            out["f"] = text
    if t.kernels and t.kernels[0]:
        out["k"] = t.kernels[0]
    if t.op and (attrs := _attrs(t)):
        out["a"] = attrs
    if t.op and not live:
        if (placed := geometry(t)) is not None:
            out["q"] = placed
        if _attrs(t) is None:
            out["j"] = 1
        if not registered(t.op) and t.op not in KNOWN:
            out["own"] = 1
    if t.shape:
        out["s"] = t.shape
    if t.several:
        out["m"] = 1
    if t.dtype not in ("float32", "float64"):
        out["d"] = t.dtype
    if t.needs:
        out["g"] = 1
    if t.id in places:
        out["at"] = places[t.id]
    return out


def _numbers_of(trace: Trace, t: TraceNode) -> str | None:
    """The formula of a scalar op with places for the values of nodes: ``{3} · {1}``."""
    if any(trace.nodes[j].shape for j in [t.id, *t.inputs]):
        return None
    try:
        return written(t.formula, _places(trace, t))
    except (expr.FormulaError, KeyError):
        return None


def _places(trace: Trace, t: TraceNode) -> dict[str, str]:
    places = {}
    for letter, j in zip(LETTERS, t.inputs, strict=False):
        n = trace.nodes[j]
        number = n.number if n.role == "constant" else None
        places[letter] = f"{{{j}}}" if number is None else numbers.literal(number)
    places |= {k: numbers.literal(v) for k, v in (_attrs(t) or {}).items()}
    return places | {"out": f"{{{t.id}}}", "g": f"{{g{t.id}}}"}


def _value(a: Value | None) -> Any:
    """A number, or an array's size, range, and elements or thumbnail; None where unknown."""
    if a is None:
        return None
    if a.number is not None and a.full is None:
        return (
            a.number
            if isinstance(a.number, (bool, complex)) or not isinstance(a.number, int)
            else float(a.number)
        )
    out: JSON = {"r": _short(a.rms), "lo": _short(a.low), "hi": _short(a.high)}
    if a.full is not None:
        out["f"] = _short(a.full)
    elif a.packed:
        out["b"] = a.packed
    elif a.cells:
        out["c"] = _short(a.cells, 3)
    return out


def _short(x: Any, digits: int = 7) -> Any:
    if isinstance(x, list):
        return [_short(v, digits) for v in x]
    return float(f"{x:.{digits}g}") if isinstance(x, float) else x


def _step(trace: Trace, s: Step, names: list[str], drawn: Scene, live: bool) -> JSON:
    if isinstance(s, Push):
        return _push(trace, s, drawn)
    if not isinstance(s, Contribution):
        left = {} if s.left is None else {"left": _value(s.left), "text": s.text}
        return {"k": s.kind, "n": s.node} | left
    i, p = s.sender, s.position
    t = trace.nodes[i]
    out: JSON = {
        "k": "c" if s.kind == "contribution" else "r", "n": s.node, "from": i, "p": p,
        "e": drawn.edges.get(f"{i}_{p}", ""),
        "rule": s.rule.partition(" += ")[2], "last": int(s.final),
    }  # fmt: skip
    if p + 1 < len(t.kernels) and t.kernels[p + 1]:
        out["kernel"] = t.kernels[p + 1]
    if s.kind == "reduce":
        out["rank"] = t.rank
    rule = rule_of(trace, t, p) or "g"
    if s.contribution is not None:
        out |= {"c": s.contribution, "old": s.old, "new": s.new, "l": s.local}
        try:
            out["num"] = written(rule, _places(trace, t)) if s.numbers else ""
        except expr.FormulaError:
            out["num"] = ""
    else:
        out["A"] = _value(s.array)
        if s.only and s.array is not None and s.array.full is None:
            out["same"] = 1  # as the node's gradient, which is there
        if trace.nodes[s.node].dtype.startswith("complex"):
            out["T"] = _value(s.total)  # the page adds up real numbers only
    if s.check is not None:
        c = s.check
        out["check"] = [c.analytic, c.finite, c.error, int(c.ok), c.what]
    words = {}
    for kind, slope in SLOPES.items() if live else {}.items():
        words[kind] = remark(trace, names, s, slope, s.old is not None).replace("3 %", "{%}")
    if any(words.values()):
        out["m"] = words["any"] if len(set(words.values())) == 1 else words
    elif s.remark:
        out["m"] = s.remark
    return out


def _push(trace: Trace, s: Push, drawn: Scene) -> JSON:
    t = trace.nodes[s.node]
    out: JSON = {
        "k": "p", "n": s.node, "rule": s.rule.partition(" = ")[2] if t.op else s.rule,
        "terms": {str(p): _value(v) for p, v in s.terms.items()},
        "e": {str(p): drawn.edges.get(f"{s.node}_{p}", "") for p in s.terms}, "m": s.remark,
    }  # fmt: skip
    if s.contribution is None:
        out["A"] = _value(s.array)
    else:
        out |= {"c": s.contribution, "old": None, "new": s.contribution}
        if len(s.terms) == 1 and s.local is not None:
            out["l"] = s.local
        parts = [_places(trace, t) | {"g": f"{{g{t.inputs[p]}}}"} for p in s.terms]
        rules = [rule_of(trace, t, p) or "g" for p in s.terms]
        out["num"] = ""
        if s.numbers and t.op in formulas.TABLE:
            out["num"] = " + ".join(written(r, v) for r, v in zip(rules, parts, strict=True))
    if s.check is not None:
        c = s.check
        out["check"] = [c.analytic, c.finite, c.error, int(c.ok), c.what]
    return out


# ---- source --------------------------------------------------------------------------------------
NOTE = re.compile(r"#\s*viz:\s*(.*\S)")


def _sources(trace: Trace) -> tuple[list[JSON], dict[int, list[int]]]:
    """The lines around those that made the nodes, per file; and the place of each node in them.

    A place is [file, line, last line], and where they are known, column and end column.

    Python counts columns in bytes of UTF-8; the page counts characters.
    """
    wanted: dict[str, set[int]] = {}
    places: dict[int, list[int]] = {}
    files = list(trace.files)
    for t in trace.nodes:
        site = t.site
        if site is None or not trace.files.get(site.file):
            continue
        lines, first, last = trace.files[site.file], site.line, site.end_line or site.line
        if not 0 < first <= len(lines):
            continue
        last = min(max(first, last), first + 30, len(lines))
        wanted.setdefault(site.file, set()).update(range(first - CONTEXT, last + CONTEXT + 1))
        place = [files.index(site.file), first, last]
        if site.column is not None:
            place.append(_characters(lines[first - 1], site.column))
            place.append(_characters(lines[last - 1], site.end_column))
        places[t.id] = place
    out = []
    for file in files:
        lines = trace.files[file]
        shown = sorted(k for k in wanted.get(file, ()) if 0 < k <= len(lines))
        rows: list[Any] = []
        for a, b in zip([None, *shown], shown, strict=False):
            gap = range(a + 1, b) if a is not None else range(0)
            rows += [[k, lines[k - 1][:LONGEST]] for k in gap] if len(gap) <= GAP else [[0, ""]]
            rows.append([b, lines[b - 1][:LONGEST]])
        notes = {
            k: note
            for k, code in rows
            if not code.lstrip().startswith("#") and (note := _note(lines, k))
        }
        out.append({"name": os.path.basename(file), "lines": rows, "notes": notes})
    return out, places


def _characters(line: str, column: int | None) -> int:
    return len(line.encode()[:column].decode(errors="replace"))


def _note(lines: list[str], k: int) -> str:
    """The teacher's note on a line: ``# viz: ...`` at its end, or in comments right above it."""
    if not k:
        return ""
    found = [m[1]] if (m := NOTE.search(lines[k - 1])) else []
    k -= 1
    while k > 0 and lines[k - 1].lstrip().startswith("#"):
        if m := NOTE.search(lines[k - 1]):
            found.insert(0, m[1])
        k -= 1
    return " ".join(found)


# ---- quiz ----------------------------------------------------------------------------------------
def _quiz(trace: Trace, data: JSON, seed: object) -> JSON:
    """Which steps are asked; and for a seed, that student's values of the leaves.

    The signs stay, the sizes change.
    """
    zoom = data["zoom"]
    asked = [
        k
        for k, s in enumerate(trace.steps)
        if isinstance(s, Contribution)
        and s.kind == "contribution"
        and (s.contribution is not None or s.position in zoom.get(s.sender, {}).get("b", {}))
    ]
    out: JSON = {"ask": asked, "seed": None if seed is None else str(seed)}
    if seed is None or not data["live"]:
        return out
    draw = random.Random(str(seed))
    found = {t.id: t.number for t in trace.nodes if not t.op and t.role != "constant"}
    leaves = {i: float(v.real) for i, v in found.items() if v is not None}  # a live page is real
    for _ in range(50):
        values = {}
        for i, v in leaves.items():
            values[i] = math.copysign(draw.choice(VARIANTS), v) if v else 0.0
        if _is_finite(trace, values):
            out["values"] = values
            break
    return out


def _is_finite(trace: Trace, values: dict[int, float]) -> bool:
    """Would the program compute with these leaves, as the page does, without NaN and infinities?"""
    known = [t.number if isinstance(t.number, (int, float)) else 0.0 for t in trace.nodes]
    v = [values.get(t.id, x) for t, x in zip(trace.nodes, known, strict=True)]
    for t in trace.nodes:
        if t.op:
            v[t.id] = function(t.op)(*[v[j] for j in t.inputs], **(_attrs(t) or {}))
    return all(math.isfinite(x) for x in v)
