"""The graph as its readers see it: PyTorch's surface, the user's line, scopes, invariants."""
import ast
import sys
from pathlib import Path

import pytest

import microtorch as torch
from microtorch import Scalar, graph, nn


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


# ---- PyTorch's surface ---------------------------------------------------------------------------
def test_names_of_nodes():
    x = torch.arange(1.0, 7.0).view(2, 3).requires_grad_()
    F = nn.functional
    expected = {
        "AddBackward0": x + 1, "SubBackward0": x - 1, "MulBackward0": x * x, "DivBackward0": x / 2,
        "PowBackward0": x**2,
        "NegBackward0": -x, "ExpBackward0": x.exp(), "LogBackward0": x.log(),
        "SinBackward0": x.sin(), "TanhBackward0": x.tanh(),
        "SigmoidBackward0": x.sigmoid(), "ReluBackward0": x.relu(), "AbsBackward0": x.abs(),
        "SqrtBackward0": x.sqrt(),
        "SumBackward0": x.sum(), "MeanBackward0": x.mean(), "MmBackward0": x @ x.T,
        "ViewBackward0": x.view(-1),
        "TBackward0": x.t(),
        "TransposeBackward0": x.transpose(0, 1), "PermuteBackward0": x.permute(1, 0),
        "SelectBackward0": x[0],
        "SliceBackward0": x[:, 1:], "IndexBackward0": x[[0, 1]],
        "UnsqueezeBackward0": x.unsqueeze(0),
        "SqueezeBackward0": x.squeeze(), "ExpandBackward0": x.expand(2, 2, 3),
        "CatBackward0": torch.cat([x, x]),
        "StackBackward0": torch.stack([x, x]), "SoftmaxBackward0": x.softmax(1),
        "LogSoftmaxBackward0": x.log_softmax(1),
        "CloneBackward0": x.clone(), "ToCopyBackward0": x.double(),
        "WhereBackward0": torch.where(x > 1, x, 0.0),
        "MaxBackward0": x.max(1).values, "AmaxBackward0": x.amax(1),
        "GatherBackward0": x.gather(1, torch.zeros(2, 1).long()),
        "AddmmBackward0": F.linear(x, torch.ones(4, 3), torch.ones(4)),
        "MseLossBackward0": F.mse_loss(x, x.detach()),
        "NllLossBackward0": F.cross_entropy(x, torch.tensor([0, 1])),
    }  # fmt: skip
    assert {name: y.grad_fn.name() for name, y in expected.items()} == {
        name: name for name in expected
    }
    assert all(type(y.grad_fn).__name__ == name for name, y in expected.items())


@pytest.mark.parametrize(
    "function, name, edges",
    [
        (lambda x: 2 * x, "Mul", "x-"), (lambda x: x * 2, "Mul", "x-"),
        (lambda x: torch.tensor(2.0) * x, "Mul", "-x"), (lambda x: 2 + x, "Add", "x-"),
        (lambda x: 2 - x, "Rsub", "x"), (lambda x: torch.tensor(2.0) - x, "Sub", "-x"),
        (lambda x: x - 2, "Sub", "x-"), (lambda x: x**2, "Pow", "x"), (lambda x: 2**x, "Pow", "x"),
        (lambda x: x % 2, "Remainder", "x"), (lambda x: torch.where(x > 0, x, 2.0), "Where", "x-"),
    ],
)  # fmt: skip
def test_the_edges_of_a_number_are_pytorchs(function, name, edges):
    node = function(leaf(1.0, 2.0).sin()).grad_fn
    assert node.name().startswith(name + "Backward")
    assert "".join("-" if n is None else "x" for n, _ in node.next_functions) == edges


def test_grad_fn_and_leaves():
    x, c = leaf(1.0, 2.0), torch.ones(2)
    y = x * c
    assert x.is_leaf and c.is_leaf and (c * 2).is_leaf and not y.is_leaf
    assert x.grad_fn is None and c.grad_fn is None
    assert y.grad_fn is y.grad_fn  # a real object with an identity: pytorchviz depends on it
    accumulate, nothing = y.grad_fn.next_functions
    assert nothing == (None, 0) and accumulate[1] == 0
    assert accumulate[0].name() == "torch::autograd::AccumulateGrad"
    assert type(accumulate[0]).__name__ == "AccumulateGrad"
    assert accumulate[0].variable is x and accumulate[0].next_functions == ()


def test_the_variable_of_a_leaf_outlives_the_users_handle():
    x = leaf(1.0, 2.0)
    node = (x * 2).grad_fn.next_functions[0][0]
    del x
    assert node.variable.tolist() == [1, 2] and node.variable.requires_grad


def test_metadata():
    node = (leaf(1.0) * 2).grad_fn
    node.metadata["note"] = 1
    assert node.metadata == {"note": 1}


def picture(root, params):
    """pytorchviz's algorithm in our words: only next_functions and variable are read."""
    names = {id(p): name for name, p in params.items()}
    nodes, edges, seen, stack = {id(root): type(root).__name__}, set(), set(), [root]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            p = node.variable
            nodes[id(p)] = f"{names.get(id(p), '')} {tuple(p.size())}"
            edges.add((id(p), id(node)))
        for child, _ in node.next_functions:
            if child is not None:
                nodes[id(child)] = type(child).__name__
                edges.add((id(child), id(node)))
                stack.append(child)
    return sorted(nodes.values()), sorted((nodes[a], nodes[b]) for a, b in edges)


def test_pytorchviz_algorithm_draws_a_linear_layer():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
    loss = model(torch.ones(4, 3)).mean()
    nodes, edges = picture(loss.grad_fn, dict(model.named_parameters()))
    assert nodes == sorted(
        [
            "MeanBackward0",
            "AddmmBackward0",
            "TanhBackward0",
            "AddmmBackward0",
            *["AccumulateGrad"] * 4,
            "0.weight (2, 3)",
            "0.bias (2,)",
            "2.weight (1, 2)",
            "2.bias (1,)",
        ]
    )
    assert ("AddmmBackward0", "MeanBackward0") in edges
    assert ("TanhBackward0", "AddmmBackward0") in edges
    assert ("0.weight (2, 3)", "AccumulateGrad") in edges
    assert len(edges) == 3 + 4 + 4


def test_pytorchviz_algorithm_draws_a_shared_value_once():
    x = leaf(2.0)
    y = x * x
    z = y + y.exp()
    nodes, edges = picture(z.grad_fn, {"x": x})
    assert nodes == ["AccumulateGrad", "AddBackward0", "ExpBackward0", "MulBackward0", "x (1,)"]
    assert edges == [
        ("AccumulateGrad", "MulBackward0"), ("ExpBackward0", "AddBackward0"),
        ("MulBackward0", "AddBackward0"),
        ("MulBackward0", "ExpBackward0"), ("x (1,)", "AccumulateGrad"),
    ]  # fmt: skip


def test_the_picture_is_the_same_after_backward():
    x = leaf(2.0, 3.0)
    z = ((x * x).exp() @ torch.ones(2)).sum()
    before = picture(z.grad_fn, {})
    z.backward()
    assert picture(z.grad_fn, {}) == before
    assert z.grad_fn.shape == () and z.grad_fn.next_functions[0][0].dtype.name == "float32"


# ---- what viz reads ------------------------------------------------------------------------------
def test_constants_and_their_order_are_kept():
    x = leaf(1.0, 2.0)
    for y, place in ((2 - x, 1), (x - 2, 0)):
        assert y.node.inputs[place] is x.node and y.node.inputs[1 - place].value.item() == 2
        assert not y.node.inputs[1 - place].needs


def test_nodes_know_shape_dtype_attributes_and_age():
    x = leaf(1.0, 2.0)
    y = x.unsqueeze(0).sum(1, keepdim=True)
    assert y.node.shape == (1, 1) and y.node.dtype.name == "float32"
    assert y.node.attrs == {"dim": (1,), "keepdim": True}
    assert y.node.seq > y.node.inputs[0].seq > x.node.seq


def test_user_line():
    x = leaf(1.0, 2.0)
    line = sys._getframe().f_lineno + 1
    y = (x * 2).exp() + x
    site = y.grad_fn.where()
    assert (site.file, site.line, site.function) == (__file__, line, "test_user_line")
    assert str(site) == f"test_graph.py:{line}"
    source = "    y = (x * 2).exp() + x"
    parts = {n.op.name: n.where() for n in graph.in_order([y.node]) if n.op is not None}
    if sys.version_info >= (3, 11):
        cut = {name: source[s.column : s.end_column] for name, s in parts.items()}
        assert cut == {"mul": "x * 2", "exp": "(x * 2).exp()", "add": "(x * 2).exp() + x"}
    else:
        assert {s.line for s in parts.values()} == {line}


def test_user_line_is_outside_the_library():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    line = sys._getframe().f_lineno + 1
    loss = nn.functional.mse_loss(model(torch.ones(1, 2)), torch.zeros(1, 2))
    lines = {
        (n.where().file, n.where().line) for n in graph.in_order([loss.node]) if n.op is not None
    }
    assert lines == {(__file__, line)}


def test_every_kind_of_op_records_the_line():
    x = torch.arange(1.0, 5.0).view(2, 2).requires_grad_()
    ops = [
        x.sum(1),
        x.max(1).values,
        x[0],
        x[[0]],
        x @ x,
        torch.cat([x, x]),
        x.softmax(dim=1),
        x.std(),
        x.clamp(0, 1),
        2 - x,
        -x,
        torch.einsum("ij->i", x),
        nn.functional.gelu(x),
        x.flatten(),
        torch.stack([x, x]),
        x.norm(),
        Scalar(1.0) * 2,
    ]
    for y in ops:
        site = (y if isinstance(y, Scalar) else y.node).where()
        assert site is not None and site.file == __file__, y


def test_module_scope():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(2, 2), nn.Tanh())

        def forward(self, x):
            return self.body(x) * 2

    net = Net()
    y = net(torch.ones(1, 2))
    labels = {
        n.op.name: [s.label for s in n.scope.path()]
        for n in graph.in_order([y.node])
        if n.op is not None
    }
    assert labels["mul"] == ["Net"]
    assert len(labels["tanh"]) == 3 and labels["tanh"][0] == "Net"
    assert y.node.scope.path()[0].module() is net
    assert (y + 1).node.scope is None


def test_a_block_left_in_another_call_than_entered_keeps_the_scope():
    """A generator is left where it is driven, or collected; the names of pictures are not its."""

    class Net(nn.Module):
        def forward(self, x):
            self.steps = self.draw()
            next(self.steps)
            return x * 2

        def draw(self):
            with torch.enable_grad():
                yield

    net, x = Net(), leaf(1.0)
    assert net(x).node.scope.label == "Net"
    del net.steps
    assert (x * 1).node.scope is None


def test_what_forward_sets_lasts_and_its_scope_does_not():
    class Off(nn.Module):
        def forward(self, x):
            torch.set_grad_enabled(False)
            return x

    with torch.enable_grad():
        Off()(leaf(1.0))
        assert not torch.is_grad_enabled() and graph.mode.get().scope is None
    assert torch.is_grad_enabled()


def sets(tree):
    """The calls mode.set(...) in it."""
    return {
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "mode.set"
    }


@pytest.mark.parametrize(
    "path",
    [
        p
        for p in sorted(Path(torch.__file__).parent.rglob("*.py"))
        if "mode.set(" in p.read_text("utf-8")
    ],
    ids=lambda path: path.name,
)
def test_ctrl_c_finds_the_mode_in_a_try(path):
    """Between a `mode.set` and a try after it Ctrl-C would leave the mode to all that follows."""
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(function, ast.FunctionDef):
            tries = [n for n in ast.walk(function) if isinstance(n, ast.Try)]
            restored = set().union(*[sets(ast.Module(n.finalbody, [])) for n in tries])
            inside = set().union(*[sets(n) for n in tries])
            assert not restored or sets(function) == inside


# ---- invariants ----------------------------------------------------------------------------------
def test_invariants_hold_in_a_program_of_every_sort():
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = (x * 1).view(2, 2)
    y[0] *= 2
    y.t()[1] += x[:2]
    z = torch.cat([y, y.exp()]).sum() + Scalar(2.0) * 3
    graph.check([z.node])
    order = graph.in_order([z.node], constants=True)
    assert [n.seq for n in order] == sorted(n.seq for n in order) and order[-1] is z.node


def test_check_finds_a_broken_graph():
    a, b = Scalar(1.0), Scalar(2.0)
    c = a * b
    c.seq = 0
    with pytest.raises(AssertionError, match="younger"):
        graph.check([c])
