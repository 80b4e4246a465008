"""Graphs as data and as folders, and cut into parts."""

import importlib
import pickle
import sys

import pytest
from microtorch.fx.subgraph_rewriter import replace_pattern_with_filters

import microtorch as torch
from microtorch import fx, nn
from microtorch.fx.files import _text
from microtorch.fx.passes.split_module import split_module
from microtorch.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(4, 8, dtype=torch.float64), nn.BatchNorm1d(8).double()
        self.body = nn.Sequential(nn.Linear(8, 2).double(), nn.Dropout(0.5))
        self.register_buffer("w", torch.ones(2, dtype=torch.float64))
        self.first.bias.requires_grad_(False)

    def forward(self, x, scale=2.0, *, flag=True):
        h = torch.special.erf(self.norm(self.first(x))) * scale
        h = F.relu(h[:, :8], inplace=False)
        return {"y": self.body(h) + self.w, "h": [h.sum(dim=0), h.to(torch.float64)]}


def given():
    return fx.symbolic_trace(Net().eval()), torch.randn(3, 4, dtype=torch.float64)


def same(a, b):
    return torch.equal(a["y"], b["y"]) and torch.equal(a["h"][0], b["h"][0])


def test_pickle_writes_the_graph_and_runs_no_text():
    gm, x = given()
    gm.note = "kept"
    again = pickle.loads(pickle.dumps(gm))
    assert again.code == gm.code and same(again(x), gm(x)) and not again.training
    assert again.note == "kept" and type(again).__name__ == "Net"
    assert b"def forward" not in pickle.dumps(gm)
    assert str(pickle.loads(pickle.dumps(gm.graph))) == str(gm.graph)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        graph = fx.Graph()
        graph.output(graph.call_function(lambda: 1))
        pickle.dumps(graph)


def test_a_folder_is_imported_as_any_other_text(tmp_path, monkeypatch):
    gm, x = given()
    gm.to_folder(tmp_path / "written_net", "Written")
    monkeypatch.syspath_prepend(tmp_path)
    again = importlib.import_module("written_net").Written()
    monkeypatch.delitem(sys.modules, "written_net")
    assert same(again(x), gm(x)) and not again.training
    assert not again.first.bias.requires_grad and again.first.weight.requires_grad
    text = (tmp_path / "written_net" / "module.py").read_text()
    assert "import microtorch as torch" in text and "nn.Linear(in_features=4" in text


def test_a_layer_that_is_frozen_stays_so(tmp_path, monkeypatch):
    net = Net()
    net.norm.eval()
    gm, x = fx.symbolic_trace(net), given()[1]
    gm.to_folder(tmp_path / "frozen_net")
    monkeypatch.syspath_prepend(tmp_path)
    again = importlib.import_module("frozen_net").FxModule()
    monkeypatch.delitem(sys.modules, "frozen_net")
    assert again.training and again.body.get_submodule("1").training and not again.norm.training
    gm.body.eval(), again.body.eval()
    assert same(again(x), gm(x))


def hooked(layer):
    layer.register_forward_hook(lambda module, given, out: out + 1)
    return layer


def test_what_a_folder_cannot_say(tmp_path):
    class Whole(fx.Tracer):
        def is_leaf_module(self, m, name):
            return True

    net = nn.Sequential(nn.Sequential(nn.ReLU()))
    with pytest.raises(NotImplementedError, match="cannot write Sequential"):
        fx.GraphModule(net, Whole().trace(net)).to_folder(tmp_path)
    for layer in (nn.AvgPool2d(2, ceil_mode=True), nn.CrossEntropyLoss(label_smoothing=0.1),
                  nn.Hardtanh(max_val=float("inf")), hooked(nn.ReLU())):  # fmt: skip
        with pytest.raises(NotImplementedError, match="which its text does not say"):
            _text(layer)
    for layer in (nn.AvgPool2d(2), nn.LayerNorm(3), nn.Conv2d(1, 2, 3, stride=2, bias=False)):
        assert _text(layer).startswith(f"nn.{type(layer).__name__}(")
    graph = fx.Graph()
    graph.output(graph.call_function(lambda x: x, (graph.placeholder("x"),)))
    with pytest.raises(NotImplementedError, match="a function of a module"):
        fx.GraphModule(nn.Module(), graph).to_folder(tmp_path)


def test_parts_of_a_graph():
    gm, x = given()
    count, names = iter(range(99)), {}
    cut = split_module(gm, gm, lambda n: next(count) // 3, names)
    assert same(cut(x), gm(x)) and [n for n, _ in cut.named_children()][-1] == "submod_3"
    assert names["submod_0.first"] == "first" and not cut.training
    assert cut.get_parameter("submod_0.first.weight") is gm.first.weight
    two = split_module(gm, gm, lambda n: "last" if n.name.startswith(("body", "add")) else "rest")
    assert same(two(x), gm(x))
    turn = iter([0, 1] * 50)
    with pytest.raises(RuntimeError, match="cycle exists between partitions"):
        split_module(gm, gm, lambda n: next(turn))


def test_a_filter_chooses_what_is_replaced():
    gm = fx.symbolic_trace(lambda x, y: torch.relu(x + y) + torch.relu(y + 1))
    asked = []

    def of_two_tensors(match, graph, pattern):
        asked.append(match.anchors[0].name)
        return all(isinstance(v, fx.Node) for v in match.placeholder_nodes)

    done = replace_pattern_with_filters(
        gm, lambda a, b: torch.relu(a + b), lambda a, b: a * b, [of_two_tensors]
    )
    assert asked == ["relu", "relu_1"] and [n.name for n in done[0].replacements] == ["mul"]
    assert gm(torch.ones(1), 2 * torch.ones(1)).item() == 5

    with pytest.raises(NotImplementedError, match="an argument of the pattern"):
        replace_pattern_with_filters(gm, torch.relu, torch.tanh, ignore_literals=True)

    def quotient(match, graph, pattern):
        return fx.symbolic_trace(lambda a, b: a / b).graph

    replace_pattern_with_filters(gm, lambda a, b: a * b, replacement_callback=quotient)
    assert gm(torch.ones(1), 2 * torch.ones(1)).item() == 3.5


@pytest.mark.parametrize("function", [
    int, float, range, lambda x: [1, 2][x], lambda x: range(x.shape[0]), complex,
])  # fmt: skip
def test_a_proxy_is_no_number(function):
    with pytest.raises(TypeError, match="interpreted as a number"):
        fx.symbolic_trace(lambda x: function(x))
