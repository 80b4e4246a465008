"""`viz.draw` and `viz.memory` of compiled functions: the pictures are read back."""

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from microtorch.viz.reading.compiled import account
from microtorch.viz.reading.places import places

import microtorch as torch
from microtorch import Scalar, nn, viz
from microtorch.nn import functional as F
from microtorch.static import build

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def compiler():
    try:
        build.compiler()
    except build.CompilerError:
        pytest.skip("no C compiler")


def trained(model, x, y, lossf=F.cross_entropy, optimizer=torch.optim.SGD, **options):
    """A compiled step of training that has its program."""
    optimizer = optimizer(model.parameters(), lr=0.1)

    @torch.compile(**options)
    def step(x, y):
        loss = lossf(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(4):
        step(x, y)
    return step


def hinge(p, y):
    loss = torch.relu(1 - y * p).mean()
    return loss


def moons(**options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(),
                          nn.Linear(16, 1))  # fmt: skip
    x = torch.randn(100, 2)
    return trained(model, x, x.sum(1, keepdim=True).sign(), hinge, **options)


def cnn():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(36, 3))  # fmt: skip
    return trained(model, torch.randn(8, 1, 8, 8), torch.randint(0, 3, (8,)))


class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def lstm():
    return trained(Last(), torch.randn(4, 10, 8), torch.randint(0, 3, (4,)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.head = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 3)

    def forward(self, x):
        parts = self.qkv(self.norm(x)).split(32, dim=2)
        q, k, v = [p.view(4, 32, 4, 8).transpose(1, 2) for p in parts]
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(a.transpose(1, 2).reshape(4, 32, 32)[:, -1])


def transformer():
    return trained(Attention(), torch.randn(4, 32, 32), torch.randint(0, 3, (4,)))


def scalars():
    weights = [[Scalar(0.1 * (i - j)) for i in range(3)] for j in range(4)]
    points = [[0.5 * i, 1.0 - i, 0.25] for i in range(8)]

    @torch.compile
    def step():
        loss = 0.0
        for x in points:
            for w in weights:
                act = sum(wi * xi for wi, xi in zip(w, x, strict=True))
                loss = loss + act.tanh()
        loss.backward()
        for w in weights:
            for p in w:
                p.data -= 0.01 * p.grad
                p.grad = None
        return loss.data

    for _ in range(4):
        step()
    return step


PROGRAMS = {"moons": moons, "cnn": cnn, "lstm": lstm, "transformer": transformer}


@pytest.fixture(params=PROGRAMS)
def f(request):
    return PROGRAMS[request.param]()


# ---- reading pictures back -----------------------------------------------------------------------
def boxes(svg, prefix):
    """By id: (left, top, right, bottom) of what has an id that begins so, in points."""
    found = []
    for g in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        name = g.get("id", "")
        shapes = [x for x in g.iter() if x.tag in (f"{SVG}polygon", f"{SVG}path")]
        if name.startswith(prefix) and shapes:
            points = shapes[0].get("points") or shapes[0].get("d")
            pairs = [*map(float, re.findall(r"-?[\d.]+", points))]
            xs, ys = pairs[::2], pairs[1::2]
            found.append((name.removeprefix(prefix), (min(xs), min(ys), max(xs), max(ys))))
    return found


def texts(svg):
    return [t.text for t in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def overlap(a, b, slack=0.3):
    return (
        a[0] + slack < b[2] and b[0] + slack < a[2] and a[1] + slack < b[3] and b[1] + slack < a[3]
    )


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
    for p in parts:
        assert any(p.ops[0] in w for w in words), p.ops
        if len(p.makes) == 1:
            assert any(f"{p.makes[0].name} {p.makes[0]}" in w for w in words), p.ops


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
        ("loop", ["linear"]), ("loop", ["mul", "sub", "relu"]), ("call", ["mean"]),
    ]  # fmt: skip
    assert ("loop", ["∂mean", "∂relu", "∂sub", "∂mul"]) in [(p.kind, p.ops) for p in parts]
    assert parts[-1].phase == "update"
    assert [h.name for h in parts[-1].writes] == [
        "weight", "bias", "weight_2", "bias_2", "weight_3", "bias_3"
    ]  # fmt: skip
    assert {p.where.split(":")[0] for p in parts} == {"test_programs.py"}
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
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    compiled = torch.compile(net)
    for _ in range(4):
        compiled(torch.ones(2, 3)).sum().backward()
    phases = [p.phase for p in viz.draw(compiled).account.parts]
    assert "forward" in phases
    assert "backward" in phases


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


# ---- memory --------------------------------------------------------------------------------------
def test_no_two_living_values_share_bytes(f):
    found = places(f, "memory")
    for band in found.bands:
        for a, b in combinations(band.rects, 2):
            if a.first <= b.last and b.first <= a.last:
                assert a.start + a.size <= b.start or b.start + b.size <= a.start, (a, b)
        assert all(r.start + r.size <= band.size for r in band.rects)


def test_each_value_lives_as_long_as_it_is_read(f):
    found = places(f, "memory")
    living = {}
    for band in found.bands:
        for r in band.rects:
            if r.held is not None:
                living[r.held.number] = (r.first, r.last)
    given = {h.number for h in found.account.given}
    for p in found.parts:
        for h in [*p.reads, *p.gives]:
            if h.number in living:
                first, last = living[h.number]
                assert first <= p.number <= last, (h.name, p.ops)
            else:
                assert h.number in given or h.role == "constant", h.name


def test_sizes_are_those_of_the_values(f):
    for band in places(f, "memory").bands:
        for r in band.rects:
            if r.held is not None:
                assert r.held.size <= r.size < r.held.size + 64, r.name


def test_the_picture_of_memory_says_what_the_plan_says(f):
    plan = viz.memory(f)
    svg = plan.pipe("svg").decode()
    found, every = boxes(svg, "rect-"), [r for b in plan.places.bands for r in b.rects]
    assert sorted(n for n, _ in found) == sorted(r.name for r in every)
    assert not [(a, b) for (a, p), (b, q) in combinations(found, 2) if overlap(p, q, 1.3)]
    bars = {int(n): b for n, b in boxes(svg, "held-")}
    longest = max(bars, key=lambda k: bars[k][2])
    assert plan.places.held[longest] == plan.peak == max(plan.places.held)
    words = texts(svg)
    assert any(w.startswith("peak") for w in words)
    for name, box in found:
        if box[2] - box[0] > 90 and box[3] - box[1] > 30:
            assert any(name.startswith(w.rstrip("…")) for w in words), name


def test_places_are_used_again():
    (block,) = [b for b in places(moons(), "memory").bands if b.kind == "block"]
    values = [r for r in block.rects if r.held is not None]
    assert len({r.start for r in values}) < len(values)
    assert sum(r.size for r in values) > block.size


def test_the_block_has_no_room_for_variables_of_a_loop():
    """What a fused loop makes and only itself reads lies nowhere."""
    f = moons()
    (runner,) = f.entry.runners.values()
    rooms = runner.text.memory.rooms
    assert {*rooms, *runner.text.memory.stack} <= runner.text.declared
    assert runner.block == 3 * 6400 + 1024


def test_what_eager_holds_is_more_than_its_largest_values():
    plan = viz.memory(transformer())
    sizes = [r.held.size for b in plan.places.bands for r in b.rects if r.held is not None]
    assert plan.eager_peak > max(sizes)
    assert "eager" in str(plan)


def test_a_program_lets_the_recorded_arrays_go():
    f = moons()
    assert not f.entry.plan.arrays
    assert not f.entry.whole.arrays


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
