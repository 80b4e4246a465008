"""`viz.draw` of compiled functions: the picture is read back."""

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from microtorch.viz.drawing.hairpin import LANE, Hairpin
from microtorch.viz.reading.alike import Run, alike, runs
from microtorch.viz.reading.compiled import account
from small_programs import (
    PROGRAMS,
    SVG,
    boxes,
    clashes,
    cnn,
    gan,
    lstm,
    moons,
    overlap,
    scalars,
    texts,
    trained,
    transformer,
)

import microtorch as torch
from microtorch import nn, viz

pytestmark = pytest.mark.needs("compiler", "dot")


@pytest.fixture(params=PROGRAMS)
def f(request):
    return PROGRAMS[request.param]()


# ---- draw ----------------------------------------------------------------------------------------
def test_each_part_is_a_box_and_no_two_overlap(f):
    picture = viz.draw(f)
    svg = picture.pipe("svg").decode()
    parts = picture.account.parts
    found = boxes(svg, "part-")
    assert [int(n) for n, _ in sorted(found, key=lambda x: int(x[0]))] == [p.number for p in parts]
    assert not [(a, b) for (a, p), (b, q) in combinations(found, 2) if overlap(p, q)]
    _, _, wide, high = map(float, re.search(r'viewBox="([^"]*)"', svg)[1].split())
    assert all(b[2] - b[0] < wide and b[3] - b[1] < high for _, b in found)
    words = texts(svg)
    assert not clashes(svg)
    for p in parts:
        assert any(p.ops[0] in w for w in words), p.ops
        if len(p.makes) == 1:
            assert any(f"{p.makes[0].name} {p.makes[0]}" in w for w in words), p.ops


def test_the_users_line_has_room_above_its_part(f):
    svg = viz.draw(f).pipe("svg").decode()
    for t in ElementTree.fromstring(svg).iter(SVG + "text"):
        if re.match(r"\w+\.py:\d+\s\s", t.text):
            size, x, y = (float(t.get(key)) for key in ("font-size", "x", "y"))
            places = [b for _, b in boxes(svg, "part-") if b[0] < x < b[2]]
            below = [b[1] for b in places if b[1] > y - size / 2]
            assert not below or min(below) - (y + 0.22 * size) > 2.5, t.text  # 0.22: a descender


def test_forward_goes_down_and_backward_comes_up_beside_it(f):
    picture = viz.draw(f)
    place = {int(n): b for n, b in boxes(picture.pipe("svg").decode(), "part-")}
    parts = picture.account.parts
    forward = [p.number for p in parts if p.phase == "forward"]
    assert all(place[a][3] < place[b][1] for a, b in pairwise(forward))
    back = [p.number for p in parts if p.phase == "backward"]
    assert all(place[a][1] > place[b][3] for a, b in pairwise(back))
    assert all(place[n][0] > place[forward[0]][2] for n in back)


@pytest.mark.parametrize("f", [moons, cnn, transformer])
def test_a_derivative_stands_beside_its_op(f):
    parts = viz.draw(f()).account.parts
    backward = [p for p in parts if p.phase == "backward" and p.ops[0].startswith("∂")]
    assert backward
    for p in backward:
        assert {op.removeprefix("∂") for op in p.ops} & {*parts[p.of].ops}, p.ops


def test_each_walk_back_goes_up_from_its_own_loss():
    picture = viz.draw(gan())
    parts, svg = picture.account.parts, picture.pipe("svg").decode()
    place = {int(n): b for n, b in boxes(svg, "part-")}
    assert not [(a, b) for a, b in combinations(place.values(), 2) if overlap(a, b)]
    walks = {where: [p for p in parts if p.phase == "backward" and p.where == where]
             for where in {p.where for p in parts if p.phase == "backward"}}  # fmt: skip
    assert len(walks) == 2
    for walk in walks.values():
        assert all(place[a.number][1] > place[b.number][3] for a, b in pairwise(walk))
        assert walk[0].of == max(p.number for p in parts[: walk[0].number] if "softplus" in p.ops)
    assert [h.name for h in picture.account.arrays if h.returned and h.role == "value"] == [
        "told", "fooled"
    ]  # fmt: skip
    assert [p.ops for p in parts if p.phase == "update"] == [["sgd_step"], ["sgd_step"]]


def test_loops_of_c_are_the_loops_of_the_source(f):
    """Parts have the text of the C file, each line once, and the kernels have none."""
    parts = viz.draw(f).account.parts
    text = re.sub(r"\s", "", f.c_source())
    at = 0
    for p in parts:
        if p.kind == "kernel":
            assert not p.function
            continue
        for line in p.lines:
            code = re.sub(r"\s", "", line)
            if code and not code.startswith("/*"):
                at = text.find(code, at if p.number else 0)
                assert at >= 0, line


def test_moons_is_what_it_is_known_to_be():
    parts = viz.draw(moons()).account.parts
    assert [(p.kind, p.ops) for p in parts if p.phase == "forward"] == [
        ("loop", ["linear", "tanh"]), ("call", ["linear"]), ("loop", ["tanh"]),
        ("call", ["linear"]), ("loop", ["mul", "sub", "relu"]), ("call", ["mean"]),
    ]  # fmt: skip
    assert ("loop", ["∂mean", "∂relu", "∂sub", "∂mul"]) in [(p.kind, p.ops) for p in parts]
    assert parts[-1].phase == "update"
    assert [h.name for h in parts[-1].writes] == [
        "weight", "bias", "weight_2", "bias_2", "weight_3", "bias_3"
    ]  # fmt: skip
    assert {p.where.split(":")[0] for p in parts} == {"small_programs.py"}
    assert "loss = torch.relu(1 - y * p).mean()" in parts[5].said
    assert next(h.name for h in parts[5].makes) == "loss"


def test_a_loop_that_was_found_again_is_drawn_with_its_count():
    picture = viz.draw(lstm())
    around = [p.around for p in picture.account.parts if p.around is not None]
    assert {a.kind for a in around} == {"rounds"}
    assert {a.count for a in around if a.count > 8} == {10, 9}
    words = texts(picture.pipe("svg").decode())
    assert {f"× {a.count}" for a in around} <= {*words}
    assert {f"for {a.text}" for a in around} <= {*words}


def test_heads_of_attention_are_a_loop_over_matrices():
    around = {p.around.text for p in viz.draw(transformer()).account.parts if p.around is not None}
    assert around == {"4 × 4 matrices"}


def test_scalars_are_the_loops_that_the_graph_prints():
    f = scalars()
    picture = viz.draw(f)
    lines = [line.strip() for line in str(f.graph).splitlines()]
    shown = [line for p in picture.account.parts for line in p.lines]
    assert all(line in lines for line in shown)
    words = texts(picture.pipe("svg").decode())
    assert {"for i = 0 … 7", "× 8", "for j = 0 … 3", "× 4", "for k = 0 … 2", "× 3"} <= {*words}
    assert "act += p[3 * j + k] * table[i][k];" in words
    assert [p.phase for p in picture.account.parts][-1] == "update"


def test_without_c_each_step_is_a_kernel():
    picture = viz.draw(moons(backend="eager"))
    assert {p.kind for p in picture.account.parts} == {"kernel"}
    assert len(picture.account.parts) == 24
    assert not boxes(picture.pipe("svg").decode(), "frame-")


def test_backward_from_outside_is_drawn_too():
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Tanh(), nn.Conv1d(2, 2, 3), nn.Tanh())
    compiled = torch.compile(net)
    for _ in range(4):
        compiled(torch.ones(2, 1, 9)).sum().backward()
    picture = viz.draw(compiled)
    phases = [p.phase for p in picture.account.parts]
    assert "forward" in phases
    assert "backward" in phases
    h = Hairpin(picture.account)
    assert h.right_lanes + LANE * (h.count["up"] - 1) < h.width - LANE  # no line at the rim


def test_a_forward_pass_alone():
    net = torch.compile(nn.Sequential(nn.Linear(3, 4), nn.Tanh()))
    with torch.no_grad():
        for _ in range(4):
            net(torch.ones(2, 3))
    picture = viz.draw(net, theme="dark")
    assert {p.phase for p in picture.account.parts} == {"forward"}
    assert "returned" in texts(picture.pipe("svg").decode())


def deep():
    layers = [layer for _ in range(60) for layer in (nn.Linear(4, 4), nn.Tanh())]
    return trained(nn.Sequential(*layers, nn.Linear(4, 3)), torch.randn(5, 4),
                   torch.randint(0, 3, (5,)))  # fmt: skip


def test_a_long_program_is_folded():
    f = deep()
    shown = boxes(viz.draw(f).pipe("svg").decode(), "part-")
    assert len(shown) < 110
    assert len(viz.draw(f).account.parts) > 300
    assert len(boxes(viz.draw(f, depth=0).pipe("svg").decode(), "part-")) < 12
    every = viz.draw(f, depth=1)
    assert f"part-{every.account.parts[-1].number}" in every.source
    assert len(boxes(viz.memory(f).pipe("svg").decode(), "held-")) < 110


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return x + self.down(torch.tanh(self.up(self.norm(x))))


def test_layers_of_one_form_are_one():
    model = nn.Sequential(*[Layer() for _ in range(12)], nn.Linear(8, 3))
    f = trained(model, torch.randn(5, 8), torch.randint(0, 3, (5,)))
    picture = viz.draw(f)
    drawn = alike(picture.account)
    assert len(drawn.parts) < len(picture.account.parts) / 4
    frames = {p.phase: p.alike for p in drawn.parts if p.alike is not None}
    assert {*frames} == {"forward", "backward"}
    assert all(a.count >= 10 for a in frames.values())
    svg = picture.pipe("svg").decode()
    assert {f"× {a.count}" for a in frames.values()} <= {*texts(svg)}
    assert not clashes(svg)
    # backward keeps the order in which it runs, and reads what is there
    of = [p.of for p in drawn.parts if p.phase == "backward"]
    assert of == sorted(of, reverse=True)
    made = {h for p in drawn.parts for h in p.gives} | {*drawn.given}
    assert all(h in made or h.role == "constant" for p in drawn.parts for h in p.reads
               if p.phase != "update")  # fmt: skip


def test_runs_are_found():
    assert runs("abcabcabcabcx") == [Run(0, 3, 4)]
    assert runs("xyababababababz") == [Run(2, 2, 6)]
    assert runs("aaaaaaaaa") == [Run(0, 1, 9)]
    assert runs("abab" + "cdefcdefcdef") == [Run(4, 4, 3)]
    assert runs("abcdefghij") == []


def test_names_of_the_user_stay_text():
    @torch.compile
    def f(x):
        a = x * "<b>&".count("b") + len('"\\')
        return a.tanh()

    for _ in range(4):
        f(torch.ones(3))
    svg = viz.draw(f).pipe("svg")
    ElementTree.fromstring(svg)
    ElementTree.fromstring(viz.memory(f).pipe("svg"))


def test_the_picture_is_the_same_each_time():
    f = moons()
    assert viz.draw(f).source == viz.draw(f).source
    assert viz.memory(f).source == viz.memory(f).source


def test_of_several_programs_the_last_is_drawn_and_it_says_so():
    f = torch.compile(lambda x: (x * 2).tanh())
    for n in (3, 4):
        for _ in range(4):
            f(torch.ones(n))
    picture = viz.draw(f)
    assert "of 2 programs" in texts(picture.pipe("svg").decode())
    assert [h.shape for h in picture.account.given] == [(4,)]


# ---- errors, notebooks ---------------------------------------------------------------------------
@pytest.mark.parametrize("function", [viz.draw, viz.memory])
def test_a_function_that_was_not_called_says_so(function):
    @torch.compile
    def young(x):
        return x * 2

    with pytest.raises(RuntimeError, match=r"young has no program yet[\s\S]*call it three times"):
        function(young)


def test_what_is_not_compiled_is_refused():
    with pytest.raises(TypeError, match=r"memory\(\) takes a compiled function"):
        viz.memory(lambda x: x)
    with pytest.raises(TypeError, match="a step of Scalars"):
        viz.memory(scalars())
    f = moons()
    with pytest.raises(TypeError, match=r"viz.draw\(f\)"):
        viz.draw(f.graph)
    with pytest.raises(TypeError, match="rankdir is of graphs"):
        viz.draw(f, rankdir="LR")
    with pytest.raises(ValueError, match="theme"):
        viz.memory(f, theme="pink")


def test_files_and_notebooks(tmp_path):
    f = moons()
    for picture in (viz.draw(f), viz.memory(f)):
        for suffix in ("svg", "png", "pdf", "dot", "txt"):
            assert (tmp_path / f"x.{suffix}").name in picture.save(tmp_path / f"x.{suffix}")
        bundle = picture._repr_mimebundle_()
        assert {"image/svg+xml", "image/png", "text/plain"} <= {*bundle}
        with pytest.raises(ValueError, match=r"\.html is not a format"):
            picture.save(tmp_path / "x.html")


def test_an_exported_program_is_drawn():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()
    ep = torch.export.export(model, (torch.randn(2, 4),))
    assert [op for p in viz.draw(ep).account.parts for op in p.ops] == ["linear", "relu"]


def test_an_account_names_arrays_once(f):
    names = [h.name for h in account(f, "draw").arrays]
    assert len({*names}) == len(names)
