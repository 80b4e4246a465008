"""Two promises: the same bytes without a program ``dot``, and roles that do not rest on colour.

The second is computed on pictures, not on the table of colours: each role's node is parsed from the
DOT, its fill and line are converted to grey and to what a deuteranope sees, and each pair of roles
must differ in lightness or in form.
"""

import itertools
import re

import pytest
from microtorch.viz.drawing import style
from repository import ran

import microtorch as torch
from microtorch import Scalar, nn, viz

NEURON = """
import sys
from pathlib import Path
from microtorch import Scalar, viz
x1, x2 = Scalar(2.0, requires_grad=False), Scalar(0.0, requires_grad=False)
w1, w2 = Scalar(-3.0), Scalar(1.0)
b = Scalar(6.8813735870195432)
x1w1 = x1 * w1
x2w2 = x2 * w2
total = x1w1 + x2w2
n = total + b
o = n.tanh()
o.backward()
g = viz.draw(o)
assert len(g.trace.nodes) == 10
g.save(sys.argv[1] + ".svg")
g.save(sys.argv[1] + ".dot")
"""


# ---- A: no program dot ---------------------------------------------------------------------------
@pytest.mark.needs("pygraphviz")
def test_without_the_program_dot_two_processes_write_the_same_bytes(tmp_path):
    script, empty = tmp_path / "neuron.py", tmp_path / "empty"
    script.write_text(NEURON)
    empty.mkdir()
    for k, seed in enumerate(("1", "2")):  # another order of sets in each
        alone = {"PATH": str(empty), "PYTHONHASHSEED": seed}
        done = ran("-W", "error", script, tmp_path / f"n{k}", **alone)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr  # fontconfig may grumble
    first, second = ((tmp_path / f"n{k}.svg").read_bytes() for k in (0, 1))
    assert (
        first == second and first.startswith(b"<?xml") and first.count(b'class="node"') == 15
    )  # 10 values, 5 ops
    assert (tmp_path / "n0.dot").read_bytes() == (tmp_path / "n1.dot").read_bytes()


# ---- H: without colour ---------------------------------------------------------------------------
LIGHTNESS = (
    20  # of CIE L* (0 black to 100 white): a difference seen side by side, also in thin lines
)
PEN = 0.35  # points: how much wider a line must be to be seen as wider
# Machado, Oliveira and Fernandes 2009, severity 1.0; for linear RGB
DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
LUMINANCE = (0.2126, 0.7152, 0.0722)


def linear(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def lightness(colour, vision):
    """CIE L* of a colour, printed in grey or seen by a deuteranope."""
    rgb = linear(colour)
    if vision == "deuteranopia":
        rgb = [
            min(1.0, max(0.0, sum(m * c for m, c in zip(row, rgb, strict=True))))
            for row in DEUTERANOPIA
        ]
    y = sum(w * c for w, c in zip(LUMINANCE, rgb, strict=True))
    return 116 * y ** (1 / 3) - 16 if y > 216 / 24389 else y * 24389 / 27


def look(text):
    """What a node's DOT says of its frame: fill, line, and the form, which needs no colour."""
    table = re.match(r"<<TABLE ([^>]*)>(<TR><TD><TABLE )?", text.partition("label=")[2])
    if table:
        at = dict(re.findall(r'(\w+)="([^"]*)"', table[1]))
        inner = re.search(r'<TD><TABLE [^>]*BGCOLOR="(#\w+)"', text) if table[2] else None
        double = bool(table[2]) and re.search(r'<TD><TABLE BORDER="([\d.]+)"', text)[1] != "0"
        return {
            "fill": inner[1] if inner else at["BGCOLOR"],
            "line": at["COLOR"],
            "form": ("table", "DASHED" in at["STYLE"], double),
            "pen": float(at["BORDER"]),
        }
    at = dict(re.findall(r'(\w+)="?([^" \]]+)', text))
    form = ("circle" if at["shape"] == "circle" else "word", False, False)
    return {
        "fill": at["fillcolor"],
        "line": at["color"],
        "form": form,
        "pen": float(at["penwidth"]),
    }


def roles_of(g):
    """Role (from the trace) -> looks of its nodes (from the DOT) in the picture ``g``."""
    found = {}
    for node, text in re.findall(r"^\t+(\w+) \[(.*)\]$", g.source, re.M):
        if re.fullmatch(r"v\d+", node):
            found.setdefault(g.trace.nodes[int(node[1:])].role, []).append(look(text))
        elif re.fullmatch(r"[om]\d+", node):
            found.setdefault("op or module", []).append(look(text))
    return found


def pictures(theme):
    x, w = Scalar(2.0, requires_grad=False), Scalar(-3.0)
    o = (x * w + w).tanh()
    o.backward()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    scale = torch.ones(1, requires_grad=True)
    loss = (net(torch.randn(4, 2)) * scale).pow(2).mean()
    loss.backward()
    return {"neuron": viz.draw(o, theme=theme), "network": viz.draw(loss, theme=theme, depth=0)}


def apart(a, b, vision):
    """Why two looks can be told apart, or ""."""
    for part in ("fill", "line"):
        if abs(lightness(a[part], vision) - lightness(b[part], vision)) >= LIGHTNESS:
            return part
    return "form" if a["form"] != b["form"] else "pen" if abs(a["pen"] - b["pen"]) >= PEN else ""


@pytest.mark.parametrize("vision", ["grey", "deuteranopia"])
@pytest.mark.parametrize("theme", list(style.THEMES))
def test_roles_are_told_apart_without_colour(theme, vision):
    for name, g in pictures(theme).items():
        found = roles_of(g)
        assert set(found) == {"parameter", "data", "intermediate", "loss", "op or module"}, name
        for (p, looks), (q, others) in itertools.combinations(found.items(), 2):
            for a, b in itertools.product(looks, others):
                assert apart(a, b, vision), (
                    f"{name}, {theme}, {vision}: {p} looks like {q}: {a} and {b}"
                )


def test_the_form_is_what_tells_them_apart():
    """Lightness alone would not do, in any theme; and the conversions are what they say."""
    for theme in style.THEMES.values():
        looks = [
            dict(fill=f, line=c, form=None, pen=1.0) for f, c in [*theme.roles.values(), theme.op]
        ]
        pairs = itertools.combinations(looks, 2)
        assert not all(apart(a, b, "grey") for a, b in pairs), theme.name
    assert (
        lightness("#FFFFFF", "grey") == pytest.approx(100)
        and lightness("#000000", "deuteranopia") == 0
    )
    assert lightness("#777777", "deuteranopia") == pytest.approx(
        lightness("#777777", "grey"), abs=0.01
    )  # grey stays
    red, green = (lightness(c, "deuteranopia") for c in ("#FF0000", "#008000"))
    assert (
        abs(red - green)
        < LIGHTNESS
        < abs(lightness("#FF0000", "grey") - lightness("#00FF00", "grey"))
    )
