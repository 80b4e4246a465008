"""Pictures: their text, titles, themes and colours; what cannot be drawn."""

import json
import os
import re
import sys
import xml.etree.ElementTree as ET

import pytest
from microtorch.viz.drawing import render, style, titles
from microtorch.viz.reading import numbers
from microtorch.viz.reading.summary import thumbnail
from microtorch.viz.showing.scene import scene
from repository import ROOT, python
from small_graphs import labels, mlp, neuron

import microtorch as torch
from microtorch import Scalar, nn, viz

HERE = os.path.dirname(os.path.abspath(__file__))


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
import small_graphs as t
from microtorch import viz
o = t.neuron(); o.backward()
net, loss = t.mlp(); loss.backward()
sys.stdout.buffer.write((viz.draw(o).source + viz.draw(loss, legend=True).source).encode())
"""


def test_the_source_is_the_same_in_every_process():
    def source(seed):
        return python("-c", SCRIPT.format(paths=[HERE, str(ROOT / "tests")]), PYTHONHASHSEED=seed)

    one, two = source("1"), source("2")
    assert one == two and len(one) > 5000
    assert "0x" not in one


def test_viz_is_not_imported_by_microtorch_and_imports_no_graphviz():
    script = (
        "import sys; import microtorch; "
        "assert not [m for m in sys.modules if 'viz' in m], 'microtorch imports viz'; "
        "import microtorch.viz; "
        "assert not {'graphviz', 'rich', 'pygraphviz', 'PIL'} & set(sys.modules); "
        "from microtorch import Scalar; microtorch.viz.draw; assert 'rich' not in sys.modules"
    )
    assert not python("-c", script)


EVIL = '<script>alert(1)</script>"&<\\N\n{}|'


@pytest.mark.needs("dot")
@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_an_arrow_passes_below_the_title_of_a_frame(theme):
    def made():  # the parameters of modules that are gone stand above the frame
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.dec = nn.Sequential(nn.Linear(2, 8), nn.Softplus(beta=2), nn.Linear(8, 6))

            def forward(self, x):
                return self.dec(x)

        return Net()(torch.ones(3, 2, requires_grad=True) * 2).sum()

    graph = viz.draw(made(), rankdir="TB", theme=theme)
    svg = graph.pipe("svg").decode()
    words = "Net.dec \xa0Sequential()" if "Net.dec \xa0" in svg else "Net.dec &#160;Sequential()"
    assert svg.count(words) == 1
    assert svg.index(words) > svg.rindex('class="edge"')
    wide = float(re.search(r"0 0\.00 ([\d.]+)", svg)[1])
    moved = float(re.search(r"translate\(([\d.]+)", svg)[1])
    frame = svg[svg.index('class="cluster"') :].partition("</g>")[0].partition("path")[2]
    across = [float(x) + moved for x in re.findall(r"([-\d.]+),[-\d.]+", frame)]
    assert min(across) > 4 and max(across) < wide - 4
    assert graph.pipe("png").startswith(b"\x89PNG") and graph.pipe("pdf").startswith(b"%PDF")


@pytest.mark.needs("dot")
def test_an_arrow_passes_below_the_title_of_a_frame_in_a_page():
    net = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.Conv2d(6, 16, 5, padding=2))
    svg = scene(viz.trace(net(torch.ones(1, 1, 8, 8)).sum()).trace).svg
    first, last = svg.index('class="e"'), svg.rindex('class="e"')
    titles = [svg.index(f">net.{m} \xa0Conv2d(") for m in (0, 2)]
    assert titles[0] > last and not first < titles[1] < last


@pytest.mark.needs("dot")
def test_arrows_of_a_page_begin_where_their_value_stands():
    net = nn.Sequential(*[m for k in range(16, 0, -1) for m in (nn.Linear(k + 1, k), nn.Tanh())])
    trace = viz.trace(net(torch.ones(1, 17)).sum()).trace
    svg = scene(trace).svg  # of so many values that parameters stand beside their ops
    boxes = {}
    for name, body in re.findall(r'<g class="n [a-z]+" id="(v\d+)">(.*?)</g>', svg):
        points = re.findall(r"([-\d.]+),([-\d.]+)", body)
        boxes[name] = [sorted(map(float, axis)) for axis in zip(*points, strict=True)]
    found = 0
    for target, at, body in re.findall(r'<g class="e" id="e(\d+)_(\d)">(.*?)</g>', svg):
        ends = re.search(r'd="M([-\d.]+),([-\d.]+)', body).groups()
        source = trace.nodes[int(target)].inputs[int(at)]
        box = boxes[f"v{source}"]
        assert all(a[0] - 3 < float(v) < a[-1] + 3 for v, a in zip(ends, box, strict=True)), source
        found += 1
    assert found == len(trace.edges) > 60


def test_titles_that_no_arrow_crosses_stay():
    frame = (
        'digraph g {\n\tgraph [bb="0,0,9,9"];\n\tsubgraph cluster_0 {\n\t\tgraph [bb="0,0,99,99",\n'
        '\t\t\tfillcolor="#FFFFFF",\n\t\t\tlabel="a \\"b\\", [2]; x",\n\t\t\tlheight=0.2,\n'
        '\t\t\tlp="50,90",\n\t\t\tlwidth=1\n\t\t];\n\t}\n\ta -> b [pos="e,%s"];\n}\n'
    )
    assert titles.over_arrows(frame % "50,10 50,40 50,30 50,20 50,11") == ""
    changed = titles.over_arrows(frame % "50,10 50,120 50,80 50,60 50,11")
    assert 'title0 [label="a \\"b\\", [2]; x", pos="50,90"' in changed and 'label="",' in changed


def test_zeros_are_said_and_not_drawn():
    w = torch.ones(2, 2, requires_grad=True)
    words = labels(viz.draw((w * torch.zeros(2, 2) + torch.ones(2, 2)).sum())).values()
    assert sum("all 0" in text for text in words) == 1


def test_a_layer_that_is_called_by_itself_is_a_box():
    rnn, head = nn.GRU(3, 4), nn.Linear(4, 2)
    out, _ = rnn(torch.randn(5, 2, 3))
    loss = nn.functional.mse_loss(head(out[-1]), torch.ones(2, 2))
    for options in ({}, {"depth": 0}):
        words = labels(viz.draw(loss, **options)).values()
        assert sum("weight_ih_l0" in text and "GRU(3, 4)" in text for text in words) == 1
        assert len(words) < 10
    few = viz.draw(head(torch.ones(1, 4)).sum())
    assert any("linear" in text for text in labels(few).values())


def test_markup_in_names_is_text():
    a = Scalar(2.0, label=EVIL)
    y = a * 3
    g = viz.draw(y)
    assert "<script>" not in re.sub(r'tooltip="([^"\\]|\\.)*"', "", g.source)
    assert any(EVIL[:10] in w for words in labels(g).values() for w in words)


@pytest.mark.needs("dot")
def test_markup_in_names_stays_text_in_the_svg():
    class Evil(nn.Linear):
        def extra_repr(self):
            return EVIL

    Evil.__name__ = EVIL
    a = Scalar(2.0, label=EVIL)
    for root in (a * 3, Evil(2, 2)(torch.ones(1, 2)).sum()):
        for options in ({}, {"depth": 0}):
            svg = viz.draw(root, names={EVIL: root}, **options).pipe("svg").decode()
            tree = ET.fromstring(svg)
            assert not [e for e in tree.iter() if e.tag.endswith(("script", "foreignObject"))]
            assert "<script" in "".join(t.text or "" for t in tree.iter() if t.tag.endswith("text"))


@pytest.mark.parametrize("theme", list(style.THEMES.values()), ids=lambda t: t.name)
def test_every_text_can_be_read(theme):
    fills = [fill for fill, _ in theme.roles.values()]
    pairs = [(theme.ink, f) for f in [*fills, theme.op[0], theme.module[0], theme.background]]
    pairs += [(theme.secondary, f) for f in [*fills, theme.module[0], theme.background]]
    pairs += [(theme.gradient, f) for f in [*fills, theme.module[0], theme.background]]
    pairs += [*zip(theme.heat_ink, theme.heat, strict=True), (theme.nan[1], theme.nan[0])]
    worst = min((style.contrast(a, b), a, b) for a, b in pairs)
    assert worst[0] >= 4.5, worst


@pytest.mark.parametrize("theme", list(style.THEMES.values()), ids=lambda t: t.name)
def test_lines_stand_out_from_the_background(theme):
    for role, (_, line) in theme.roles.items():
        assert style.contrast(line, theme.background) >= 3, role


def test_orange_is_gradient_and_nothing_else():
    source = viz.draw(mlp()[1]).source
    for text in re.findall(rf'COLOR="{style.LIGHT.gradient}"[^>]*>([^<]*)<', source):
        assert text in ("grad", "grad rms", "–")


def test_numbers():
    shown = [
        numbers.number(v)
        for v in (-6.0, 0.0, 1.7e-9, 123456.0, None, float("nan"), float("-inf"), 0.70710678)
    ]
    assert shown == ["−6.0000", "0", "1.7e−9", "1.2e5", "–", "NaN", "−∞", "0.7071"]
    assert [numbers.short(v) for v in (0.01543, 0.02, 1.0, 0.0, -2e-7)] == [
        "0.0154",
        "0.02",
        "1",
        "0",
        "−2.0e−7",
    ]
    assert [numbers.short(v) for v in (1234.5, -99999.0, 999.6)] == ["1230", "−100000", "1000"]
    assert [numbers.literal(v) for v in (1e-7, -2e20, 0.5)] == ["1e−7", "−2e20", "0.5"]
    assert [numbers.exact(v) for v in (-0.5, 4.57e-9, 0.0)] == ["−0.500000", "4.57000e−9", "0"]


def test_heat_classes_are_absolute():
    values = (0.0, 1e-7, 5e-5, 0.005, 0.5, 11.0)
    assert [style.heat_class(v) for v in values] == list(range(6))
    assert style.heat(style.LIGHT, float("nan")) == ("#F0E442", "#000000")


def test_thumbnails_average_and_never_crop():
    import numpy as np

    cells, pooled = thumbnail(np.arange(64.0).reshape(32, 2))
    assert pooled and len(cells) == 4 and len(cells[0]) == 2
    assert np.mean(cells) == pytest.approx(31.5)
    cells, pooled = thumbnail(np.arange(7.0).reshape(7, 1))
    assert not pooled and cells == [list(range(7))]


def test_the_trace_is_json():
    w = torch.tensor([1.0, float("inf"), float("nan")], requires_grad=True)
    loss = (w * 2).sum()
    loss.backward()
    data = json.loads(viz.draw(loss).trace.to_json())
    assert data["schema"] == 2 and data["nodes"][-1]["role"] == "loss"
    assert [n["name"] for n in data["nodes"] if n["role"] == "parameter"] == ["w"]
    (file,) = data["files"]
    line = data["files"][file][data["nodes"][-1]["site"]["line"] - 1]
    assert "loss = (w * 2).sum()" in line


@pytest.mark.parametrize(
    ("root", "error", "words"),
    [
        ([1.0], TypeError, "Tensor or a Scalar, but got float"),
        ([], TypeError, "Tensor or a Scalar, but got list"),
        (nn.Linear(2, 2), TypeError, r"model\(x\)"),
        (torch.ones(2), RuntimeError, "does not require grad"),
        (torch.ones(2, requires_grad=True), RuntimeError, "a leaf"),
        (Scalar(1.0), RuntimeError, "a leaf"),
    ],
)
def test_what_cannot_be_drawn_says_why(root, error, words):
    with pytest.raises(error, match=words):
        viz.draw(root)


@pytest.mark.parametrize(
    "options",
    [
        {"theme": "pink"},
        {"rankdir": "UP"},
        {"grads": "all"},
        {"ops": "both"},
        {"depth": -1},
        {"max_nodes": 1.5},
    ],
)
def test_unknown_options_name_the_known_ones(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        viz.draw(neuron(), **options)


def test_save_refuses_an_unknown_suffix_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg, \.png, \.pdf"):
        viz.draw(neuron()).save(tmp_path / "x.foo")
    assert not list(tmp_path.iterdir())


def test_without_graphviz_there_is_one_clear_error_and_dot_still_works(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    g = viz.draw(neuron())
    with pytest.raises(viz.RenderError, match=r'pip install "microtorch\[viz\]"') as error:
        g.save(tmp_path / "x.svg")
    assert str(error.value) == render.NO_GRAPHVIZ
    assert g.save(tmp_path / "x.dot") == str(tmp_path / "x.dot")
    assert (tmp_path / "x.dot").read_text(encoding="utf-8") == g.source
    bundle = g._repr_mimebundle_()
    assert set(bundle) == {"text/plain"} and "pip install" in bundle["text/plain"]
