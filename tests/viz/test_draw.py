"""Pictures: what is drawn, against the graph; names, gradients, folding, refusal."""

import re
import sys
import time
import xml.etree.ElementTree as ET

import pytest
from microtorch.viz.drawing import render
from microtorch.viz.reading import numbers
from microtorch.viz.reading.modules import arguments
from microtorch.viz.reading.take import take
from small_graphs import Deep, by_name, edges, labels, mlp, neuron

import microtorch as torch
from microtorch import Scalar, nn, viz


# ---- the scalar picture --------------------------------------------------------------------------
def test_neuron_has_a_node_for_every_value_and_op_and_an_edge_for_every_operand():
    o = neuron()
    g = viz.draw(o)
    words = labels(g)
    values = [k for k in words if k.startswith("v")]
    ops = [k for k in words if k.startswith("o")]
    assert len(values) == 10 and len(ops) == 5
    operands = {(f"v{i}", f"o{n.id}") for n in g.trace.nodes for i in n.inputs}
    results = {(f"o{n.id}", f"v{n.id}") for n in g.trace.nodes if n.op}
    assert {(a, b) for a, b, _ in edges(g)} == operands | results


def test_names_come_from_the_source_without_being_given():
    names = by_name(viz.draw(neuron()))
    assert {"w1", "w2", "x1", "x2", "b", "s", "n", "o"} <= set(names)
    assert {n.expression for n in viz.draw(neuron()).trace.nodes if n.expression} >= {
        "w1·x1",
        "w2·x2",
    }


def test_roles_are_drawn_with_their_own_lines():
    g = viz.draw(neuron())
    roles = {n.name: n.role for n in g.trace.nodes}
    assert (roles["w1"], roles["x1"], roles["s"], roles["o"]) == (
        "parameter",
        "data",
        "intermediate",
        "loss",
    )
    source = dict(re.findall(r"^\t+(\w+) \[label=<(.*?)> [^\n]*tooltip", g.source, re.M))
    at = {n.name: f"v{n.id}" for n in g.trace.nodes}
    assert 'BORDER="2.2"' in source[at["w1"]] and "DASHED" in source[at["x1"]]
    assert source[at["o"]].count("<TABLE") == 2 and source[at["s"]].count("<TABLE") == 1
    assert (
        "grad" in source[at["w1"]] and "grad" not in source[at["x1"]]
    )  # data has no gradient row at all


def test_no_digit_in_a_gradient_row_before_backward():
    for root in (neuron(), mlp()[1]):
        g = viz.draw(root)
        assert not g.trace.backward
        for words in labels(g).values():
            for i, word in enumerate(words):
                if word in ("grad", "grad rms"):
                    assert words[i + 1] == "–"
        assert "◂" not in g.source


def test_gradients_after_backward_are_those_of_backward():
    o = neuron()
    o.backward()
    g = viz.draw(o)
    names = by_name(g)
    assert names["w1"].grad.number == pytest.approx(1.0)
    assert names["w2"].grad.number == 0 and names["w2"].grad_state == "known"
    assert names["x1"].grad is None and names["x1"].grad_state == "none"
    assert "◂ 0.5000" in g.source and "−6.0000" in g.source


def test_a_value_used_twice_shows_two_contributions_and_their_sum():
    a, b = Scalar(2.0), Scalar(-3.0)
    c = a * b + a
    c.backward()
    g = viz.draw(c)
    a_id = by_name(g)["a"].id
    came_back = [e.contribution.number for e in g.trace.edges if e.source == a_id]
    assert came_back == [-3.0, 1.0] and by_name(g)["a"].grad.number == sum(came_back)
    assert "◂ −3.0000" in g.source and "◂ 1.0000" in g.source


def test_the_same_operand_twice_is_two_edges():
    x = Scalar(3.0)
    y = x * x
    y.backward()
    g = viz.draw(y)
    assert len([e for e in edges(g) if e[1].startswith("o")]) == 2
    assert by_name(g)["x"].grad.number == 6


@pytest.mark.parametrize("style_of_grads", ["values", "labels", "edges", "none"])
def test_three_styles_of_gradients(style_of_grads):
    o = neuron()
    o.backward()
    source = viz.draw(o, grads=style_of_grads).source
    assert ("◂" in source) == (style_of_grads == "labels")
    assert ("dir=back" in source) == (style_of_grads == "edges")


def test_a_chain_of_python_numbers_keeps_the_order_of_the_code():
    x = Scalar(4.0)
    y = 1 - x / 2
    y.backward()
    g = viz.draw(y)
    first, second = g.trace.nodes[-1].inputs
    assert g.trace.nodes[first].role == "constant" and g.trace.nodes[second].op == "div"
    operands = [words for name, words in labels(g).items() if name.startswith("c")]
    assert sorted(operands) == [["1"], ["2"]]


def attention_of_a_module_that_is_gone():
    attention = nn.MultiheadAttention(4, 2)
    q, k, v = torch.randn(3, 1, 4), torch.randn(3, 1, 4), torch.randn(3, 1, 4)
    return attention(q, k, v)[0].sum() + attention(q, q, q)[0].sum()


def test_parameters_of_a_module_that_is_gone_have_no_names_of_arguments():
    nodes = viz.trace(attention_of_a_module_that_is_gone()).trace.nodes
    assert {n.name for n in nodes if n.role == "parameter"} == {""}
    w = torch.ones(2, requires_grad=True)
    assert viz.trace(nn.Softmax(0)(w).sum())["w"].role == "parameter"


def masked_by_a_layer_of_the_layer():
    layer = nn.TransformerDecoderLayer(4, 2, 4, dropout=0.0)
    tgt, memory = torch.randn(3, 1, 4), torch.randn(2, 1, 4)
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    return layer(tgt, memory, tgt_mask=mask).sum()


def target_before_input():
    logits, y = torch.ones(3, requires_grad=True) * 2, torch.rand(3)
    return nn.functional.binary_cross_entropy_with_logits(logits, y)


def method_of_an_object():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 1, 2)

        def forward(this, x):
            return this.conv(x).sum()

    return Net()(torch.ones(1, 1, 4))


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (masked_by_a_layer_of_the_layer, {"tgt"}),
        (attention_of_a_module_that_is_gone, {"q"}),
        (target_before_input, {"y"}),
        (method_of_an_object, {"x"}),
    ],
)
def test_no_leaf_has_the_name_of_another_argument(make, names):
    nodes = viz.trace(make()).trace.nodes
    assert sorted(n.name for n in nodes if not n.op and n.name) == sorted(names)


def test_names_inside_lists_and_objects_of_the_caller():
    class Layer:
        def __init__(self):
            self.w = [Scalar(0.1 * i) for i in range(3)]

    layer = Layer()
    y = layer.w[0] * 2.0 + layer.w[2]
    names = by_name(viz.draw(y))
    assert {"layer.w[0]", "layer.w[2]", "y"} <= set(names)


def test_views_of_data_are_called_by_what_they_are_views_of():
    data, target = torch.rand(6, 2), torch.rand(3)
    w = torch.ones(2, requires_grad=True)
    part = ((data[0:3] @ w - target) ** 2).sum()
    turned = (torch.ones(6, requires_grad=True) @ data.view(2, 6).t()).sum()
    fake = w * 2
    cut = (fake.detach() * w).sum()
    for loss, name in ((part, "data[…]"), (turned, "data.view"), (cut, "fake.detach")):
        picture = viz.draw(loss)
        assert name in {n.expression for n in picture.trace.nodes if not n.op}
        assert name in picture.source


def test_explicit_names_win():
    a = Scalar(1.0, label="alpha")
    w = torch.ones(2, requires_grad=True)
    assert "alpha" in by_name(viz.draw(a * 2))
    assert "weights" in by_name(viz.draw((w * 2).sum(), params={"weights": w}))
    assert "weights" in by_name(viz.draw((w * 2).sum(), names={"weights": w}))
    with pytest.raises(TypeError, match="list of tensors"):
        viz.draw((w * 2).sum(), params=[w])


def test_no_gradient_path_ends_in_a_bar():
    x = Scalar(2.0)
    with torch.no_grad():
        k = x * 3
    y = k * x
    g = viz.draw(y)
    assert [look for *_, look in edges(g) if "tee" in look]
    assert by_name(g)["k"].grad_state == "none"


# ---- tensors and modules -------------------------------------------------------------------------
def test_tensor_picture_has_one_node_per_value_and_a_frame_per_layer():
    net, loss = mlp()
    loss.backward()
    g = viz.draw(loss)
    nodes = g.trace.nodes
    assert [n.op for n in nodes if n.op] == ["linear", "relu", "linear", "mse_loss"]
    words = labels(g)
    assert len([k for k in words if k.startswith("v")]) == len(nodes) == 10
    assert {(a, b) for a, b, _ in edges(g)} == {
        (f"v{e.source}", f"v{e.target}") for e in g.trace.edges
    }
    frames = re.findall(r'label="(.*?)" labeljust', g.source)
    assert frames == ["net.0  Linear(2, 16)", "net.2  Linear(16, 1)"]
    inside = re.search(r"subgraph cluster_\d+ \{(.*?)\n\t\}", g.source, re.S).group(1)
    assert "weight" in inside and "bias" in inside and "linear" in inside and "16×2" in inside
    assert g.source.count("pooled</FONT>") == 3  # x, the first weight and y
    del net


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Linear(2, 3), "2, 3"),
        (nn.Linear(2, 3, bias=False), "2, 3, bias=False"),
        (nn.Conv2d(1, 6, 5, padding=2), "1, 6, 5, padding=2"),
        (nn.Conv2d(1, 6, (3, 5), stride=2), "1, 6, (3, 5), stride=2"),
        (nn.ConvTranspose2d(8, 4, 2, 2), "8, 4, 2, stride=2"),
        (nn.MaxPool2d(2), "2"),
        (nn.AvgPool2d(3, 2), "3, stride=2"),
        (nn.BatchNorm2d(8), "8"),
        (nn.LayerNorm((4, 5)), "(4, 5)"),
        (nn.GRU(3, 4, num_layers=2, batch_first=True), "3, 4, num_layers=2, batch_first=True"),
        (nn.ReLU(inplace=True), "inplace=True"),
        (nn.Softmax(dim=1), "dim=1"),
    ],
    ids=repr,
)
def test_a_module_is_called_as_it_was_made(module, words):
    assert arguments(module) == words


@pytest.mark.needs("dot")
@pytest.mark.parametrize("rankdir", ["LR", "TB", "RL", "BT"])
def test_the_way_of_the_data_goes_straight_through_the_frames(rankdir):
    """Parameters stand beside their ops, weight first, and push no frame aside."""
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8),
        nn.ReLU(), nn.Linear(8, 3, bias=False), nn.Sigmoid(), nn.Linear(3, 1),
    )  # fmt: skip
    graph = viz.draw(net(torch.ones(2, 1, 8, 8)).sum(), rankdir=rankdir)
    rows = [r.split(" ") for r in render.render(graph.source, "plain").decode().splitlines()]
    at = {r[1]: [float(v) for v in r[2:6]] for r in rows if r[0] == "node"}
    along, across = (0, 1) if rankdir in ("LR", "RL") else (1, 0)
    ops = [t for t in graph.trace.nodes if t.op]
    middle = [at[f"v{t.id}"][across] for t in ops]
    assert max(middle) - min(middle) < 0.3
    for t in ops:
        beside = [graph.trace.nodes[i] for i in t.inputs if graph.trace.nodes[i].parameter]
        for p in beside:
            x, y = (at[f"v{n.id}"] for n in (p, t))
            assert abs(x[along] - y[along]) < 0.02
            before = x[across] < y[across]
            assert before == ((p.parameter == "weight") != (across == 1))  # y grows upwards


def test_weights_and_chips_show_what_is_stored():
    net, loss = mlp()
    loss.backward()
    g = viz.draw(loss)
    weight = next(n for n in g.trace.nodes if n.name == "weight" and n.shape == [16, 2])
    stored = net[0].weight.grad
    assert weight.grad.rms == pytest.approx((stored * stored).mean().item() ** 0.5, rel=1e-5)
    assert numbers.short(weight.grad.rms) in g.source


def test_interior_gradients_equal_those_of_retain_grad():
    torch.manual_seed(1)
    w = torch.randn(3, 2, requires_grad=True)
    h = (torch.randn(5, 3) @ w).tanh()
    h.retain_grad()
    loss = (h * h).mean()
    loss.backward()
    drawn = next(n for n in viz.draw(loss).trace.nodes if n.op == "tanh")
    assert torch.allclose(torch.tensor(drawn.grad.full), h.grad)


def test_drawing_leaves_gradients_and_graph_alone():
    net, loss = mlp()
    viz.draw(loss)
    assert all(p.grad is None for p in net.parameters())
    loss.backward()
    before = [p.grad for p in net.parameters()]
    values = [g.tolist() for g in before]
    viz.draw(loss)
    assert all(
        p.grad is g and g.tolist() == v
        for p, g, v in zip(net.parameters(), before, values, strict=True)
    )


def test_a_step_of_the_optimizer_makes_intermediate_gradients_unknown_not_wrong():
    net, loss = mlp()
    loss.backward()
    torch.optim.SGD(net.parameters(), lr=0.1).step()
    g = viz.draw(loss)
    states = {n.op: n.grad_state for n in g.trace.nodes if n.op}
    assert states["relu"] == "lost" and "overwritten" in g.trace.note
    assert next(n for n in g.trace.nodes if n.name == "weight").grad_state == "known"


def test_second_loss_without_zero_grad_is_not_taken_for_this_one():
    w = torch.ones(3, requires_grad=True)
    (w * 2).sum().backward()
    later = (w * w * w).sum()
    g = viz.draw(later)
    assert not g.trace.backward
    assert next(n for n in g.trace.nodes if n.op == "mul").grad_state == "missing"


def test_scalars_and_tensors_in_one_graph():
    a = Scalar(2.0)
    t = Scalar.stack([a, a * 3]) * torch.tensor([1.0, 2.0])
    loss = t.sum()
    loss.backward()
    g = viz.draw(loss)
    assert {n.op for n in g.trace.nodes if n.op} >= {"stack_scalars", "mul", "sum"}
    assert by_name(g)["a"].grad.number == 7
    assert "v0 -> " in g.source


def test_custom_function_is_drawn_and_survives_backward():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = torch.ones(2, requires_grad=True)
    y = Double.apply(x).sum()
    assert "Double" in viz.draw(y).source
    y.backward()
    assert "Double" in viz.draw(y).source


# ---- collapsing ----------------------------------------------------------------------------------
def test_twelve_equal_layers_fold_into_a_strip_of_twelve_cells():
    net = Deep()
    x, y = torch.randn(64, 8), torch.randn(64, 1)
    loss = nn.MSELoss()(net(x), y)
    loss.backward()
    g = viz.draw(loss)
    words = labels(g)
    assert len(words) <= 12
    fold = next(w for name, w in words.items() if name.startswith("f"))
    assert "net.blocks.0 … 11" in fold and "× 12" in fold and "11,904 parameters" in fold
    label = re.search(r"^\t+f\d+ .*$", g.source, re.M).group()
    assert label.count('WIDTH="18" HEIGHT="20"') == 12
    assert {(a[0], b[0]) for a, b, _ in edges(g)} == {
        ("v", "f"),
        ("f", "m"),
        ("m", "v"),
        ("v", "v"),
    }


def test_flat_repetition_folds_too():
    layers = [layer for _ in range(8) for layer in (nn.Linear(4, 4), nn.Tanh())]
    net = nn.Sequential(*layers)
    g = viz.draw(net(torch.ones(1, 4)).sum())
    fold = next(w for name, w in labels(g).items() if name.startswith("f"))
    assert "net.0 … 14" in fold and "× 8" in fold and "Linear(4, 4) → Tanh" in fold


def test_a_value_used_outside_is_not_folded_away():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(8))

        def forward(self, x):
            out = 0
            for layer in self.layers:
                x = layer(x)
                out = out + x
            return out

    g = viz.draw(Skip()(torch.ones(1, 4)).sum(), depth=1)
    assert not any(name.startswith("f") for name in labels(g))


@pytest.mark.parametrize("depth", [None, 1])
def test_a_parameter_that_another_module_uses_has_its_path_in_that_module(depth):
    layer = nn.TransformerEncoderLayer(4, 2, 4)
    source = viz.draw(layer(torch.ones(3, 1, 4)).sum(), depth=depth).source
    assert "out_proj.weight" in source and "self_attn.out_proj" not in source


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_depth_collapses_modules(depth):
    net = Deep(2)
    loss = net(torch.ones(3, 8)).sum()
    boxes = [name for name in labels(viz.draw(loss, depth=depth)) if name.startswith("m")]
    assert len(boxes) == {0: 1, 1: 2, 2: 2}[depth]


def test_loops_of_scalars_fold_by_their_line():
    x = Scalar(1.0)
    for _ in range(100):
        x = x * 0.99 + 0.01
    y = x.tanh()
    y.backward()
    g = viz.draw(y)
    (words,) = [w for name, w in labels(g).items() if name.startswith("l")]
    assert "100 iterations" in words and len(labels(g)) <= 3
    assert words[words.index("its grad") + 1] == numbers.short(1 - y.data**2)


def test_the_gradient_of_a_folded_loop_of_tensors_is_shown():
    x = torch.ones(3, requires_grad=True)
    for _ in range(100):
        x = x * 0.99 + 0.01
    y = x.sum()
    for known in (numbers.MISSING, "1"):
        if known == "1":
            y.backward()
        (words,) = [w for name, w in labels(viz.draw(y)).items() if name.startswith("l")]
        assert words[words.index("last value") + 1] == "shape 3"
        assert words[words.index("its grad rms") + 1] == known


def test_a_large_graph_is_refused_at_once_with_its_size():
    w = [Scalar(0.1) for _ in range(20)]
    total = Scalar(0.0)
    for _ in range(1600):
        for wi in w:
            total = total + wi * 0.5
    start = time.process_time()
    with pytest.raises(viz.GraphTooLarge, match=r"64,0\d\d nodes") as error:
        viz.draw(total)
    assert time.process_time() - start < 1
    assert all(way in str(error.value) for way in ("depth=", "one sample", "max_nodes="))


def test_a_middling_graph_that_does_not_fold_is_refused():
    def tree(n):
        return Scalar(float(n)) if n < 2 else tree(n // 2) * tree(n - n // 2)

    with pytest.raises(viz.GraphTooLarge, match="more than 400"):
        viz.draw(tree(300))


def test_deep_chains_are_walked_without_recursion():
    x = torch.ones(1, requires_grad=True)
    for _ in range(20_000):
        x = x * 1.0001
    g = viz.draw(x.sum(), max_nodes=10_000)
    assert "20,000 iterations" in g.source


# ---- rendered ------------------------------------------------------------------------------------
@pytest.mark.needs("dot")
@pytest.mark.parametrize(
    "options", [{}, {"theme": "dark"}, {"theme": "print", "legend": True}, {"grads": "edges"}]
)
def test_svg_has_every_node_and_edge(options):
    _, loss = mlp()
    loss.backward()
    for root in (neuron(), loss):
        g = viz.draw(root, **options)
        svg = ET.fromstring(g.pipe("svg"))
        kinds = [e.get("class") for e in svg.iter() if e.get("class")]
        assert kinds.count("node") == len(labels(g)) + g.source.count("shape=plaintext")
        assert kinds.count("edge") == len(edges(g))
    assert "max-width:100%" in svg.get("style") and svg.get("viewBox")


@pytest.mark.needs("dot")
def test_svg_is_not_cut_off():
    svg = ET.fromstring(viz.draw(neuron()).pipe("svg"))
    width, height = (float(svg.get(k).removesuffix("pt")) for k in ("width", "height"))
    _, _, w, h = map(float, svg.get("viewBox").split())
    assert (w, h) == pytest.approx((width, height), abs=1)


@pytest.mark.needs("dot")
def test_files_have_the_format_of_their_suffix(tmp_path):
    g = viz.draw(neuron())
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "json": b"{", "gv": b"digraph"}
    for suffix, magic in start.items():
        path = g.save(str(tmp_path / f"a.{suffix}"))
        with open(path, "rb") as file:
            assert file.read().startswith(magic)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"a.{s}" for s in start)
    assert set(g._repr_mimebundle_()) == {"image/svg+xml", "image/png", "text/plain"}


@pytest.mark.needs("dot")
def test_render_as_graphviz_spells_it(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("graphviz.view", opened.append)
    g = viz.draw(neuron())
    path = g.render(tmp_path / "a", format="png", view=True)
    assert opened == [path] == [str(tmp_path / "a.png")]
    assert viz.draw_dot(neuron()).render(tmp_path / "b", cleanup=False).endswith("b.svg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.gv", "b.svg"]
    with pytest.raises(ValueError, match="'gif' is not known; choose one of svg"):
        g.render(tmp_path / "c", format="gif")


@pytest.mark.needs("dot")
def test_an_unreadable_bitmap_is_refused(tmp_path):
    g = viz.draw(_chain(300), rankdir="LR")
    with pytest.raises(viz.RenderError, match=r"pixels.*svg"):
        g.save(tmp_path / "x.png", dpi=200)
    assert not list(tmp_path.iterdir())


def _chain(n):
    """A chain that no loop of the source made."""
    return Scalar(0.5) if n == 0 else _chain(n - 1).tanh()  # recursion, so that nothing folds


def test_trace_can_be_made_twice():
    o = neuron()
    o.backward()
    first, second = (take(o, "draw", sys._getframe()).to_json() for _ in range(2))
    assert first == second
