"""Graphs as Mermaid and TikZ, texts of SVG that keep their width, matrices in the table."""

import re

import pytest
from microtorch.viz.drawing import lengths
from microtorch.viz.reading.loops import opening

import microtorch as torch
from microtorch import Scalar, nn, viz
from microtorch.backends import core
from microtorch.backends.core import texts
from microtorch.engine.registry import REGISTRY


def graph(**options):
    x, w = torch.ones(3, 2), torch.full((2, 4), 0.5, requires_grad=True)
    h = (x @ w).tanh()
    return viz.draw((h * h).sum(), names={"x": x, "w": w, "h": h}, **options)


def test_mermaid_has_every_box_and_edge():
    text = graph().pipe("mmd").decode()
    found = re.findall(r'^    (v\d+)\["(.*)"\]:::(\w+)$', text, re.M)
    assert [label for _, label, _ in found] == [
        "x<br/>3×2", "w<br/>2×4", "@<br/>3×4", "tanh → h<br/>3×4",
        "× → h·h<br/>3×4", "sum<br/>6.9603",
    ]  # fmt: skip
    assert [role for *_, role in found][:2] == ["data", "parameter"]
    edges = re.findall(r"(v\d+) --> (v\d+)", text)
    assert len(edges) == len(set(edges)) == 5  # h × h is one arrow
    assert text.startswith("flowchart ")
    text = graph(show_saved=True).pipe("mmd").decode()
    assert '"tanh → h<br/>3×4<br/>keeps result#58; output, 48 bytes"' in text.replace(":", "#58;")
    assert text.startswith('---\ntitle: "kept for backward: ')


def test_names_are_only_text():
    x = torch.ones(2, requires_grad=True)
    name = 'a"]; click <script> \\input{x} $_%'
    drawn = viz.draw((x * 2).sum(), names={name: x})
    assert '"a#34;#93;#59; click #60;script#62; #92;input#123;x#125; $_%<br/>2"' in (
        drawn.pipe("mmd").decode()
    )


@pytest.mark.needs("dot")
def test_tikz_places_every_box(tmp_path):
    name = "a_1 {x} \\n $"
    x = torch.ones(2, requires_grad=True)
    text = viz.draw((x * 2).sum(), names={name: x}).pipe("tex").decode()
    assert r"a\_1 \{x\} \textbackslash{}n \$" in text
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    a = Scalar(2.0, "a")
    text = viz.draw(a * 3 + 1).pipe("tex").decode()
    assert text.count(r"\node[") == 3 and text.count(r"\draw[->]") >= 2
    assert "nan" not in text
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    text = viz.draw(net(torch.ones(1, 2)).sum()).pipe("tex").decode()
    kept = viz.draw(net(torch.ones(1, 2)).sum(), show_saved=True).pipe("tex").decode()
    assert "keeps result: output, 12 bytes}" in kept and "{kept for backward: " in kept
    assert text.count(r"\draw[->]") == 4 and text.count(r"\draw[<-]") == 1  # bias, beside its op
    path = viz.draw(net(torch.ones(1, 2)).sum(), depth=0).save(tmp_path / "net.tex")
    with open(path, encoding="utf-8") as file:
        assert "Sequential" in file.read()


def test_a_text_has_the_width_of_helvetica():
    assert lengths.width("data", 10) == pytest.approx(19.46)
    assert lengths.width("W2", 12, bold=True) == pytest.approx(12 * (0.944 + 0.556))
    assert lengths.width("v₇", 12) is None  # which font has it, nobody knows
    made = lengths.keep('<text font-family="Helvetica" font-size="10.00">a &amp; b</text>')
    assert f'textLength="{lengths.width("a & b", 10):.1f}"' in made
    spaced = '<text font-family="Helvetica" font-size="10.00"> a &amp; b </text>'
    assert lengths.keep(spaced) == made.replace("a &amp; b", " a &amp; b ")  # viewers drop spaces
    other = '<text font-family="Courier" font-size="10.00">data</text>'
    assert lengths.keep(other) == other


@pytest.mark.needs("dot")
def test_a_notebook_gets_a_bitmap_beside_the_picture():
    bundle = graph()._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "image/png", "text/plain"}
    assert "textLength" in bundle["image/svg+xml"]


def test_the_table_shows_matrices_where_there_is_room(monkeypatch):
    w = torch.tensor([[0.5, -1.0], [2.0, 3.0]], requires_grad=True)
    loss = (w * w).sum()
    monkeypatch.setenv("COLUMNS", "140")
    lines = str(viz.trace(loss)).splitlines()
    assert "[0.5  −1]" in lines[2] and "[1  −2]" in lines[2]
    assert "[  2   3]" in lines[3] and "[4   6]" in lines[3]
    monkeypatch.setenv("COLUMNS", "20")
    assert "rms" in str(viz.trace(loss)) or "[1  −2]" in str(viz.trace(loss))
    big = torch.ones(5, 5, requires_grad=True)
    assert "rms 2" in str(viz.trace((big * big).sum()))


def test_a_c_text_opens_at_its_loop():
    text = "/* head\n * more */\n#include <x.h>\nstatic void f(int n)\n{\n    for (;;) {}\n}\n"
    assert opening(text) == 3 and opening("/* nothing */") == 0
    marked = text.replace("for (", "EACH_BY_ITSELF for (")
    assert opening(marked) == 3 and opening(f"/* ==== from other files ==== */\n{text}") == 0
    assert opening("#define LOOP(n) \\\n    for (;;) { \\\n    }\nint g(int n)\n{\n}\n" + text) == 9


@pytest.mark.needs("core")
def test_the_text_of_every_op_opens_in_its_own_part():
    for name in filter(texts.loops, REGISTRY):
        text = core.source(name)
        line = text.splitlines()[opening(text)]
        own = text.partition("from other files")[0]
        assert line in own.splitlines() and re.match(r"[A-Za-z].*\(", line), name


@pytest.mark.needs("dot")
def test_greek_names_are_commands_of_tex(tmp_path):
    θ = torch.tensor(0.5, requires_grad=True)
    loss = (θ * 2).tanh()
    table = viz.trace(loss).to_latex()
    viz.draw(loss).save(tmp_path / "p.tex")
    text = (tmp_path / "p.tex").read_text(encoding="utf-8")
    assert r"\theta" in table and r"{$\theta$\\ 0.5000}" in text
    assert "θ" not in table + text
