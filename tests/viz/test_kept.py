"""What backward keeps of each op, in pictures."""

import xml.etree.ElementTree as ET

import pytest
from microtorch.viz.reading import numbers
from small_graphs import labels, mlp, neuron

import microtorch as torch
from microtorch import nn, viz


def squared_errors():
    return mlp()[1]


def attention():
    q = torch.randn(4, 3, requires_grad=True)
    return ((q @ q.T).softmax(-1) @ q).sum()


def halves():
    a = torch.randn(4, 3, requires_grad=True)
    return (a[:2] * a[2:]).exp().sum()


def pooled():
    conv = nn.Conv2d(1, 2, 3)
    return nn.functional.max_pool2d(conv(torch.randn(2, 1, 6, 6)).relu(), 2).std()


@pytest.mark.parametrize("program", [squared_errors, attention, halves, pooled])
def test_what_is_kept_is_what_hooks_are_given(program):
    """Each memory once: so the sum is that of PyTorch's way to ask, saved_tensors_hooks."""
    given = {}

    def pack(t):
        whole = t.array if t.array.base is None else t.array.base
        given[whole.__array_interface__["data"][0]] = whole.nbytes
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        asked = program()  # the arrays live as long as this does
    drawn = viz.draw(program(), show_saved=True)
    sizes = {k.memory: k.whole for n in drawn.trace.nodes for k in n.kept if k.what != "unread"}
    assert sum(sizes.values()) == sum(given.values()) > 0
    words = f"kept for backward: {numbers.size_of(sum(given.values()))}, each memory counted once"
    assert words in drawn.source and asked.node is not None


class Both(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(x, y, x + 1)
        return y

    @staticmethod
    def backward(ctx, g):
        return g


def packed(x):
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
        return x.tanh()


@pytest.mark.parametrize(
    ("f", "op", "rows"),
    [
        (lambda x, y: x + y, "add", "keeps: nothing"),
        (lambda x, y: x * y, "mul",
         "keeps self: input x, 24 bytes; keeps other: input y, 24 bytes"),
        (lambda x, y: x * 3, "mul", "keeps other: input 3, 4 bytes"),
        (lambda x, y: y.detach() * x, "mul", "keeps self: input y.detach, 24 bytes"),
        (lambda x, y: x.expand(4, 2, 3) * 3 * y, "expand", "shape: (4, 2, 3); keeps: nothing"),
        (lambda x, y: x.tanh(), "tanh", "keeps result: output, 24 bytes"),
        (lambda x, y: x[:, 1:], "slice", "index: (:, 1:, …); keeps: nothing"),
        (lambda x, y: x[[0, 1]], "index", "keeps index: argument, 16 bytes"),
        (lambda x, y: x.sum(1, keepdim=True), "sum", "dim: (1,); keepdim: True; keeps: nothing"),
        (lambda x, y: (x * 1).exp_(), "exp", "keeps result: output, 24 bytes"),
        (lambda x, y: x.max(1)[0], "max", "dim: 1; keeps indices: input data, 16 bytes"),
        (lambda x, y: Both.apply(x), "Both", "keeps saved_tensors[0]: input x, 24 bytes; keeps "
         "saved_tensors[1]: output, 24 bytes; keeps saved_tensors[2]: own copy, 24 bytes"),
        (lambda x, y: packed(x), "tanh", "keeps result: packed, 12 bytes"),
    ],
)  # fmt: skip
def test_an_op_says_what_it_keeps_and_its_arguments(f, op, rows):
    x, y = (torch.full((2, 3), v, requires_grad=True) for v in (1.0, 2.0))
    g = viz.draw(f(x, y).sum(), names={"x": x, "y": y}, show_saved=True, show_attrs=True)
    words = labels(g)[f"v{next(n.id for n in g.trace.nodes if n.op == op)}"]
    rows = [text for row in rows.split("; ") for text in row.split(": ")]
    assert words[-len(rows) :] == rows
    assert viz.Trace.from_json(g.trace.to_json()).nodes == g.trace.nodes


def test_a_scalar_keeps_numbers_which_have_no_bytes():
    o = neuron()
    for g in (viz.draw(o, show_saved=True), viz.draw(o, show_saved=True, ops="merged")):
        words = labels(g)[f"v{g.trace.root}"]
        assert words[-2:] == ["keeps result", "output"] and "numbers, which lie in" in g.source


@pytest.mark.needs("dot")
@pytest.mark.parametrize("options", [{}, {"depth": 0, "theme": "dark", "legend": True}])
def test_what_is_kept_is_read_in_the_picture_until_backward_frees_it(options):
    def texts():
        svg = ET.fromstring(viz.draw(loss, show_saved=True, **options).pipe("svg"))
        return [" ".join(e.text.split()) for e in svg.iter() if e.tag.endswith("}text")]

    _, loss = mlp()
    found = texts()
    assert any(t.startswith("kept for backward: 2.6 KB") for t in found)
    if options:
        assert found[found.index("keeps 3 arrays") + 1] == "2.3 KB"
    else:
        assert found[found.index("keeps mat1") + 1] == "input x, 256 bytes"
        assert found.count("keeps mat2") == 1  # of the second layer alone: x asks for no gradient
    loss.backward()
    found = texts()
    assert not any(t.startswith("kept for backward") for t in found)
    assert "freed" in found and any("retain_graph=True" in t for t in found)


def test_pytorchviz_and_micrograd_spellings():
    import graphviz

    net, loss = mlp()
    dot = viz.make_dot(loss, params=dict(net.named_parameters()))
    assert isinstance(dot, graphviz.Digraph) and "0.weight" in dot.source
    assert "keeps" not in dot.source and "reduction" not in dot.source
    full = viz.make_dot(loss, show_attrs=True, show_saved=True, max_attr_chars=4).source
    assert "keeps mat1" in full and "kept for backward" in full and "&#39;me…" in full
    assert "◂" not in viz.draw_dot(neuron()).source
    assert viz.draw(neuron()).source == viz.draw(neuron()).digraph.source
