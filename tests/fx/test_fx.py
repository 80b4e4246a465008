"""torch.fx: what is recorded, written as Python, changed, run."""

import copy
import operator

import pytest
from microtorch.fx.experimental.optimization import fuse
from microtorch.vision.models.feature_extraction import (
    create_feature_extractor,
    get_graph_node_names,
)

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import fx, nn
from microtorch.fx.passes.shape_prop import ShapeProp
from microtorch.vision import models


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.param = nn.Parameter(torch.rand(3, 4))
        self.linear = nn.Linear(4, 5)
        self.register_buffer("buf", torch.ones(5))
        self.body = nn.Sequential(nn.Linear(5, 2), nn.ReLU())

    def forward(self, x, y=None, *rest, flag: bool = True, **kw):
        z = self.linear(x + self.param).clamp(min=0.0, max=1.0)
        a, b = torch.topk(torch.sum(z + self.buf, dim=-1), 3)
        c = F.relu(a, inplace=True) + 2 * b.float()
        e = torch.cat([c, -c], dim=0)[None, 1:, ...].to(torch.float64)
        e = e.view(e.size(0), -1)
        return {"e": e, "g": (torch.ones(1) + e, e.shape[0])}, z.T @ z, self.body(z), z[0] > 1


# as PyTorch 2.13 writes it
CODE = """


def forward(self, x, y = None, flag : bool = True, *rest, **kw):
    _rest = rest
    _kw = kw
    param = self.param
    add = x + param;  x = param = None
    linear = self.linear(add);  add = None
    clamp = linear.clamp(min = 0.0, max = 1.0);  linear = None
    buf = self.buf
    add_1 = clamp + buf;  buf = None
    sum_1 = torch.sum(add_1, dim = -1);  add_1 = None
    topk = torch.topk(sum_1, 3);  sum_1 = None
    getitem = topk[0]
    getitem_1 = topk[1];  topk = None
    relu = torch.nn.functional.relu(getitem, inplace = True);  getitem = None
    float_1 = getitem_1.float();  getitem_1 = None
    mul = 2 * float_1;  float_1 = None
    add_2 = relu + mul;  relu = mul = None
    neg = -add_2
    cat = torch.cat([add_2, neg], dim = 0);  add_2 = neg = None
    getitem_2 = cat[(None, slice(1, None, None), Ellipsis)];  cat = None
    to = getitem_2.to(torch.float64);  getitem_2 = None
    size = to.size(0)
    view = to.view(size, -1);  to = size = None
    _tensor_constant0 = self._tensor_constant0
    add_3 = _tensor_constant0.add(view);  _tensor_constant0 = None
    getattr_1 = view.shape
    getitem_3 = getattr_1[0];  getattr_1 = None
    getattr_2 = clamp.T
    matmul = getattr_2 @ clamp;  getattr_2 = None
    body_0 = getattr(self.body, "0")(clamp)
    body_1 = getattr(self.body, "1")(body_0);  body_0 = None
    getitem_4 = clamp[0];  clamp = None
    gt = getitem_4 > 1;  getitem_4 = None
    return ({'e': view, 'g': (add_3, getitem_3)}, matmul, body_1, gt)
    """


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_what_is_recorded_is_written_and_run():
    net, x = Net(), torch.rand(3, 4)
    gm = fx.symbolic_trace(net)
    assert gm.code == CODE
    for made in (gm, copy.deepcopy(gm), fx.Interpreter(gm).run, fx.Transformer(gm).transform()):
        assert same(made(x), net(x))
    assert gm.linear is net.linear and set(net.state_dict()) < set(gm.state_dict())
    gm(x)[2].sum().backward()
    assert net.param.grad is not None and net.body[0].weight.grad is not None
    assert "(linear): Linear(in_features=4, out_features=5, bias=True)" in str(gm)
    assert "%sum_1 : [num_users=1] = call_function[target=torch.sum](args = (%add_1,), kwargs = {" \
        "dim: -1})" in str(gm.graph)
    node = next(n for n in gm.graph.nodes if n.target is F.relu)  # functions are themselves again
    assert (node.op, node.name, node.kwargs) == ("call_function", "relu", {"inplace": True})
    with pytest.raises(RuntimeError, match=r"While executing %add .*operator.add"):
        fx.Interpreter(gm).run(torch.rand(2, 2))


def assigned(x):
    x[0] = 1
    return x


@pytest.mark.parametrize(
    "function, error, words",
    [
        (lambda x: x if x.sum() > 0 else -x, ValueError, "inputs to control flow"),
        (lambda x: [i for i in x], ValueError, "cannot be iterated"),
        (lambda x: range(x.shape[0]), TypeError, "interpreted as a number"),
        (lambda x: len(x), RuntimeError, "wrap\\('len'\\)"),
        (assigned, TypeError, "does not support item assignment"),
    ],
)
def test_what_cannot_be_recorded(function, error, words):
    before = (torch.relu, F.relu, torch.Tensor.__add__, nn.Module.__call__)
    with pytest.raises(error, match=words):
        fx.symbolic_trace(function)
    assert before == (torch.relu, F.relu, torch.Tensor.__add__, nn.Module.__call__)


def helper(x):
    return x * 2 if x.sum() > 0 else x


def asks(x, twice=False):
    y = helper(x)
    return y + y if twice else y


fx.wrap("helper")


def test_functions_that_are_not_looked_into_and_arguments_that_are_known():
    gm = fx.symbolic_trace(asks, concrete_args={"twice": True})
    assert "helper(x)" in gm.code
    assert torch.equal(gm(torch.ones(2), True), torch.full((2,), 4.0))
    with pytest.raises(AssertionError, match="specialized to have value True"):
        gm(torch.ones(2))
    assert torch.equal(asks(torch.ones(2)), torch.full((2,), 2.0))

    class Whole(fx.Tracer):
        def is_leaf_module(self, m, name):
            return name == "body" or super().is_leaf_module(m, name)

    net = Net()
    graph = Whole().trace(net)
    assert [n.target for n in graph.find_nodes(op="call_module")] == ["linear", "body"]
    assert same(fx.GraphModule(net, graph)(torch.ones(3, 4)), net(torch.ones(3, 4)))


def test_a_graph_is_changed():
    gm = fx.symbolic_trace(lambda x: (x.relu() + torch.sigmoid(x)).sum(dim=1))
    for node in gm.graph.nodes:  # while it is walked
        if node.target is torch.sigmoid:
            with gm.graph.inserting_after(node):
                new = gm.graph.call_function(torch.tanh, node.args)
            assert [u.name for u in node.replace_all_uses_with(new)] == ["add"]
            with pytest.raises(RuntimeError, match="still had 1 users"):
                gm.graph.erase_node(new)
            gm.graph.erase_node(node)
    gm.graph.lint()
    gm.recompile()
    x = torch.randn(2, 3)
    assert torch.equal(gm(x), (x.relu() + x.tanh()).sum(1)) and len(gm.graph.nodes) == 6
    first = next(iter(gm.graph.nodes))
    gm.graph.output_node().append(first)  # the argument behind its users
    with pytest.raises(RuntimeError, match="used before it has been defined"):
        gm.graph.lint()
    with pytest.raises(ValueError, match="a Callable is expected"):
        gm.graph.call_function("relu")

    graph = fx.Graph()
    a = graph.placeholder("a")
    graph.call_function(torch.exp, (a,))
    graph.output(graph.call_method("view", (graph.call_function(operator.mul, (a, 3)), -1)))
    assert graph.eliminate_dead_code() and not graph.eliminate_dead_code()
    made = fx.GraphModule(nn.Module(), graph)
    assert made(torch.ones(1, 2)).tolist() == [3, 3]


def test_proxies_of_nodes_that_there_are():
    gm = fx.symbolic_trace(lambda x: torch.relu(x) + 1)
    for node in gm.graph.nodes:
        if node.target is torch.relu:
            with gm.graph.inserting_before(node):
                x = fx.Proxy(node.args[0])
                node.replace_all_uses_with(((x > 0) * x).node)
            gm.graph.erase_node(node)
    gm.recompile()
    x = torch.randn(5)
    assert "relu" not in gm.code and torch.equal(gm(x), x.relu() + 1)


def test_functions_of_proxies_made_by_hand_are_nodes_as_long_as_one_lives():
    relu, graph = torch.relu, fx.Graph()
    x, y = (fx.Proxy(graph.placeholder(name)) for name in "xy")
    shape = torch.broadcast_tensors(x[..., :1], y[..., :1])[0].shape
    assert isinstance(shape, fx.Proxy)
    z = torch.nn.functional.softplus(torch.einsum("ij,j->i", x, y), beta=2)
    z = z + torch.stack([torch.linalg.norm(x), z.sum()]).amax() + torch.ones(2)[0] * x[0, 0]
    graph.output(torch.relu(z).node)
    assert torch.relu(torch.tensor([-1.0])).item() == 0  # what is no proxy is computed
    called = [n for n in graph.nodes if n.op == "call_function" and n.target is torch.relu]
    assert len(called) == 1 and called[0].target == relu and torch.relu in {relu: 1}
    del x, y, shape, z
    assert torch.relu is relu is called[0].target
    made = fx.GraphModule(nn.Module(), graph)
    a, b = torch.randn(3, 2), torch.randn(2)
    first = torch.nn.functional.softplus(a @ b, beta=2)
    wanted = first + torch.stack([a.norm(), first.sum()]).amax() + a[0, 0]
    torch.testing.assert_close(made(a, b), wanted.relu())


def test_a_trace_beside_proxies_made_by_hand():
    relu, graph = torch.relu, fx.Graph()
    x = fx.Proxy(graph.placeholder("x"))
    inner = fx.symbolic_trace(lambda a: torch.relu(a) * torch.sigmoid(a))
    assert isinstance(torch.relu(x), fx.Proxy) and len(inner.graph.nodes) == 5
    y = fx.Proxy(fx.Graph().placeholder("y"))
    del x
    assert isinstance(torch.relu(y), fx.Proxy) and torch.relu is not relu
    del y
    assert torch.relu is relu


def test_layers_themselves_and_classes_made_of_them():
    class Scaled(nn.Conv2d):
        def forward(self, x):
            return super().forward(x) * 2

    x = torch.rand(1, 2, 5, 5)
    for net in (nn.Conv2d(2, 3, 3), nn.Sequential(Scaled(2, 3, 3)), nn.Linear(5, 3)):
        gm = fx.symbolic_trace(net)
        assert torch.equal(gm(x), net(x)) and gm.graph.find_nodes(op="call_function")


def test_patterns(capsys):
    gm = fx.symbolic_trace(lambda a, b: torch.relu(torch.relu(a) + b) + a)
    found = fx.replace_pattern(
        gm, lambda x, w: torch.relu(x) + w, lambda x, w: torch.sigmoid(x) * w
    )
    a, b = torch.randn(2, 3)
    assert len(found) == 2
    assert torch.allclose(gm(a, b), torch.sigmoid(torch.sigmoid(a) * b) * a)
    gm.graph.print_tabular()
    assert capsys.readouterr().out.splitlines()[0].split() == [
        "opcode", "name", "target", "args", "kwargs",
    ]  # fmt: skip


class Swapped(fx.Transformer):
    """The tutorial's: sigmoid and neg, each in the other's place; functions of proxies, too."""

    def call_function(self, target, args, kwargs):
        if target == torch.sigmoid:
            return torch.neg(*args, **kwargs)
        return super().call_function(target, args, kwargs)

    def call_method(self, target, args, kwargs):
        if target == "neg":
            return args[0].sigmoid()
        return super().call_method(target, args, kwargs)

    def call_module(self, target, args, kwargs):
        if isinstance(self.fetch_attr(target), nn.ReLU):
            return torch.nn.functional.gelu(args[0]) + super().call_module(target, args, kwargs)
        return super().call_module(target, args, kwargs)


def test_a_transformer_calls_functions_with_proxies():
    x = torch.randn(3)
    gm = Swapped(fx.symbolic_trace(lambda x: torch.sigmoid(x).neg())).transform()
    assert torch.equal(gm(x), x.neg().sigmoid()) and "torch.neg(x)" in gm.code
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    gm, h = Swapped(fx.symbolic_trace(net)).transform(), net[0](x)
    assert torch.equal(gm(x), nn.functional.gelu(h) + h.relu())
    assert type(torch.neg).__name__ == "function"


def test_passes():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).eval()
    net[1].running_mean.fill_(0.5)
    x = torch.rand(1, 1, 4, 4)
    fused = fuse(net)
    assert torch.allclose(fused(x), net(x), atol=1e-6) and len(list(fused.children())) == 2
    gm = fx.symbolic_trace(net)
    ShapeProp(gm).propagate(x)
    shapes = [tuple(n.meta["tensor_meta"].shape) for n in gm.graph.nodes]
    assert shapes == [(1, 1, 4, 4), *[(1, 2, 2, 2)] * 4]


def test_values_inside_of_a_model():
    block = models.resnet.BasicBlock
    net = models.ResNet(block, [1, 1, 1, 1], num_classes=3)
    train, evaluation = get_graph_node_names(net)
    assert train == evaluation
    assert train[5:12] == [f"layer1.0.{n}" for n in ("conv1", "bn1", "relu", "conv2", "bn2", "add",
                                                      "relu_1")]  # fmt: skip
    inner = create_feature_extractor(net, {"layer1": "a", "layer2.0.add": "b"}).eval()
    x = torch.rand(1, 3, 32, 32)
    found = inner(x)
    assert list(found) == ["a", "b"] and found["b"].shape == (1, 128, 4, 4)
    stem = net.eval().maxpool(net.relu(net.bn1(net.conv1(x))))
    assert torch.equal(found["a"], net.layer1(stem)) and not hasattr(inner, "layer3")
    with pytest.raises(ValueError, match="'layer9' is not present"):
        create_feature_extractor(net, ["layer9"])


def test_a_method_of_another_name_is_followed():
    class Two(torch.nn.Module):
        def forward(self, x, y=None):
            return x if y is None else x + y

        def minus(self, x, y):
            return x - y

    tracer, net = fx.Tracer(), Two()
    tracer.traced_func_name = "minus"
    assert fx.GraphModule(net, tracer.trace(net))(torch.ones(2), torch.ones(2)).eq(0).all()
    gm = fx.symbolic_trace(net, concrete_args={"y": None})
    assert gm(torch.ones(2)).eq(1).all()
    with pytest.raises(AssertionError, match="y has been specialized to have value None"):
        gm(torch.ones(2), torch.ones(2))


def test_annotations_that_are_text_are_types_of_placeholders():
    class Typed(torch.nn.Module):
        def forward(self, x: "torch.Tensor", n: "int" = 2, other: "Unknown" = None):  # noqa: F821
            return x * n

    assert [n.type for n in fx.symbolic_trace(Typed()).graph.nodes][:2] == [None, None]
    Typed.forward.__annotations__.pop("other")
    gm = fx.symbolic_trace(Typed())
    assert [n.type for n in gm.graph.nodes][:2] == [torch.Tensor, int]
    assert "%x : torch.Tensor [num_users=1] = placeholder[target=x]" in str(gm.graph)
