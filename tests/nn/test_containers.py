"""Containers of modules and parameters."""

import copy
from collections import OrderedDict

import pytest

import microtorch as torch
from microtorch import nn


def test_sequential():
    relu, tanh, sigmoid = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    model = nn.Sequential(relu, tanh, sigmoid)
    assert len(model) == 3 and model[-1] is sigmoid and list(model) == [relu, tanh, sigmoid]
    assert model(torch.tensor([2.0])).item() == pytest.approx(0.7239, abs=1e-4)
    assert list(model[1:]._modules) == ["1", "2"]
    assert list(model[1:].append(relu)) == [tanh, sigmoid, relu]
    assert list(model.insert(1, nn.Identity()))[2] is tanh and list(model._modules) == [
        "0",
        "1",
        "2",
        "3",
    ]
    del model[1]
    assert list(model) == [relu, tanh, sigmoid] and list(model._modules) == ["0", "1", "2"]
    assert list(model + nn.Sequential(relu)) == [relu, tanh, sigmoid, relu]
    assert model.pop(0) is relu and len(model) == 2
    model[0] = relu
    assert list(model.extend([tanh])) == [relu, sigmoid, tanh]
    named = nn.Sequential(OrderedDict(a=relu, b=tanh))
    assert named.b is tanh and named[0] is relu
    with pytest.raises(IndexError, match="index 9 is out of range"):
        named[9]
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)


def test_none_keeps_the_place_of_a_layer_that_is_left_out():
    class Blocks(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(2, 2), None])
            self.blocks.append(None).extend([nn.Tanh(), None])

        def forward(self, x):
            for block in self.blocks:
                x = x if block is None else block(x)
            return x

    net, x = Blocks(), torch.ones(1, 2)
    assert list(net.state_dict()) == ["blocks.0.weight", "blocks.0.bias"]
    assert len(net.blocks) == 5 and net.blocks[1] is None and len(list(net.modules())) == 4
    assert "(1-2): 2 x None" in repr(net) and torch.viz.summary(net, (1, 2)) is not None
    other = copy.deepcopy(net).double().eval()
    assert torch.allclose(other(x.double()).float(), net(x))
    assert torch.allclose(torch.compile(net)(x), net(x))
    blocks = net.blocks
    blocks.insert(0, None)
    blocks[1] = None
    del blocks[0]
    assert list(blocks)[:3] == [None] * 3 and isinstance(blocks.pop(3), nn.Tanh)
    assert list(blocks.append(None))[-2:] == [None, None] and blocks.apply(lambda m: m) is blocks
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        nn.Sequential(nn.ReLU()).append(None)(x)


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.ReLU()])
    assert repr(layers) == (
        "ModuleList(\n  (0-1): 2 x Linear(in_features=1, out_features=1, bias=True)\n"
        "  (2): ReLU()\n)"
    )
    assert len(list(layers.parameters())) == 4 and len(layers[1:]) == 2 and layers[2] in layers
    layers += [nn.Tanh()]
    assert len(layers) == 4 and len(layers + layers) == 8
    with pytest.raises(NotImplementedError, match="missing the required"):
        layers(torch.zeros(1))
    with pytest.raises(TypeError, match="should be called with an iterable, but got int"):
        layers.extend(3)
    named = nn.ModuleDict({"a": nn.Tanh(), "b": nn.Linear(1, 2)})
    named["c"] = nn.ReLU()
    assert list(named) == ["a", "b", "c"] and "b" in named and len(named) == 3
    assert [type(m).__name__ for m in named.values()] == ["Tanh", "Linear", "ReLU"]
    assert named.pop("a") is not None and list(named.keys()) == ["b", "c"]
    with pytest.raises(KeyError):
        named["zz"]
    with pytest.raises(TypeError, match="iterable of key/value pairs, but got int"):
        named.update(3)


def test_parameter_containers():
    params = nn.ParameterList([torch.zeros(2, 3), 3])
    assert isinstance(params[0], nn.Parameter) and params[1] == 3 and len(params) == 2
    params.append(nn.Parameter(torch.ones(1)))
    assert len(list(params.parameters())) == 2 and list(params.state_dict()) == ["0", "2"]
    assert repr(nn.ParameterList([torch.zeros(2, 3), 3])) == (
        "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2x3]\n"
        "    (1): Object of type: int\n)"
    )
    named = nn.ParameterDict({"a": torch.zeros(2), "b": nn.Parameter(torch.ones(1))})
    assert list(named.keys()) == ["a", "b"] and "a" in named and named.get("q", 5) == 5
    assert repr(nn.ParameterDict({"a": torch.zeros(2)})) == (
        "ParameterDict(  (a): Parameter containing: [torch.FloatTensor of size 2])"
    )
    del named["a"]
    assert [name for name, _ in named.named_parameters()] == ["b"]
    with pytest.raises(KeyError):
        named["a"]


def test_a_parameter_dict_is_a_dict():
    d = nn.ParameterDict({"a": torch.ones(1), "b": torch.ones(2)})
    assert d.setdefault("a", None) is d["a"] and d.setdefault("c", torch.ones(3)).shape == (3,)
    assert list(d.copy()) == ["a", "b", "c"] and d.copy()["a"] is d["a"]
    assert d.popitem()[0] == "c" and len(d) == 2
    d.clear()
    assert not list(d.parameters()) and len(d) == 0


def test_a_plain_dict_of_parameters_is_put_in_sorted():
    b, a = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(2))
    params = nn.ParameterDict({"b": b, "a": a})
    assert list(params) == [n for n, _ in params.named_parameters()] == ["a", "b"]
    assert list(nn.ParameterDict([("b", b), ("a", a)])) == ["b", "a"]
    assert list(nn.ParameterDict(OrderedDict(b=b, a=a))) == ["b", "a"]
    assert list(reversed(params)) == ["b", "a"]
    both = params | {"d": b, "c": a}
    assert list(both) == ["a", "b", "c", "d"] and list(params) == ["a", "b"]
    assert both["c"] is a and type({"x": 1} | params) is dict
    params |= both
    assert len(params) == 4
    assert list(params.fromkeys(["x", "y"], a)) == ["x", "y"]


def test_a_sequential_several_times():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    twice = 2 * net
    assert len(twice) == 4 and twice[2] is net[0] and len(net) == 2
    same = net
    net *= 3
    assert net is same and len(net) == 6
    for times, error in [(0, ValueError), (1.5, TypeError)]:
        with pytest.raises(error):
            net * times
