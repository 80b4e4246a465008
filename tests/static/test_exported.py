"""A program as nodes to walk, and torch.export: the same program with names, signature, weights."""

import copy
import io
import operator
from dataclasses import dataclass

import pytest

import microtorch as torch
from microtorch import nn
from microtorch.static.exported_files import FORMAT


def recorded(f, *args):
    f = torch.compile(f, backend="eager")
    for _ in range(3):
        f(*args)
    return f


def test_the_nodes_of_a_program(capsys):
    table = torch.tensor([[1.0, 2.0]])

    def f(x):
        y = (x + table).clone()
        y[0] = 3.0
        y.mul_(2)
        return {"a": y.sum(1), "b": [y, 7]}

    nodes = recorded(f, torch.ones(3, 2)).graph.nodes
    by_name = {n.name: n for n in nodes}
    assert len(by_name) == len(nodes)
    assert [n.op for n in nodes][:2] == ["placeholder"] * 2 and nodes[-1].op == "output"
    add = by_name["add"]
    assert [a.name for a in add.args] == ["x", "tensor_1"] and add.all_input_nodes == [*add.args]
    assert add.shape == torch.Size([3, 2]) and add.dtype == torch.float32
    assert add.meta["val"].stride == (2, 1) and str(add.site).startswith("test_exported.py:")
    assert add.users.keys() == {by_name["clone"]} and callable(add.target)
    assert 'line' in add.meta["stack_trace"] and add.kwargs == {}
    returned = nodes[-1].args[0]
    assert returned["b"][1] == 7 and returned["a"].meta["kernel"] == "sum"
    # what is written to is from then on the node that wrote it
    assert returned["a"].args[0] is returned["b"][0] and returned["b"][0].name.startswith("setitem")
    assert "%add : [num_users=1] = call_function[target=add](args = (%x, %tensor_1)" in (
        add.format_node()
    )
    recorded(f, torch.ones(3, 2)).graph.print_tabular()
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[2:]] == [
        [n.op, n.name] for n in nodes]  # fmt: skip


def test_the_nodes_are_those_of_fx_and_cannot_be_changed():
    ep = torch.export.export(nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval(), (torch.ones(2, 4),))
    for node in [*ep.graph.nodes, *recorded(torch.tanh, torch.ones(2)).graph.nodes]:
        assert isinstance(node, torch.fx.Node)
    relu, output = ep.graph.find_nodes(op="call_function", target="relu")[0], ep.graph.output_node()
    assert isinstance(ep.graph, torch.fx.Graph) and relu.next is output
    ep.graph.lint()
    with ep.graph.inserting_before(output):
        for change in (
            lambda: ep.graph.call_function(torch.tanh, (relu,)),
            lambda: setattr(relu, "args", ()),
            lambda: relu.replace_all_uses_with(relu.args[0]),
            lambda: output.prepend(relu),
            lambda: output.update_arg(0, ()),
            lambda: ep.graph.erase_node(output),
            lambda: ep.graph.eliminate_dead_code(lambda n: False),
        ):
            with pytest.raises(TypeError, match="a view, and are not changed"):
                change()
    assert "return (relu,)" in str(ep.graph) or "return relu" in str(ep.graph)
    copied = copy.deepcopy(ep.graph)
    copied.erase_node(copied.output_node())
    assert len(copied.nodes) == len(ep.graph.nodes) - 1


def test_a_training_step_is_walked_too():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    nodes = recorded(step, torch.ones(3, 2)).graph.nodes
    assert {"x", "weight", "bias"} <= {n.name for n in nodes if n.op == "placeholder"}
    assert any(n.name == "linear_vjp1" for n in nodes)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        self.register_buffer("scale", torch.full((3,), 2.0), persistent=False)
        self.unread = nn.Parameter(torch.ones(1))
        self.plain = torch.ones(3)

    def forward(self, x, pair, k=1):
        values, places = (self.body(x) * self.scale + self.plain).max(1)
        return {"values": values * k + pair[0], "places": places}, pair[1].flatten()


def test_an_exported_program():
    model, x, pair = Net().eval(), torch.randn(2, 4), (torch.ones(2), torch.zeros(2, 2))
    ep = torch.export.export(model, (x, pair), {"k": 3})
    s = ep.graph_signature
    assert s.inputs_to_parameters["p_body_0_weight"] == "body.0.weight" and "unread" in s.parameters
    assert s.buffers[0] == "scale" and s.user_inputs == ("x", "pair_0", "pair_1")
    assert s.lifted_tensor_constants == ("constant_0",) and s.buffers_to_mutate == {}
    assert len(s.user_outputs) == 3 and ep.constants["constant_0"] is model.plain
    specs = {p.arg.name: p for p in s.input_specs}
    assert [n.name for n in ep.graph.nodes if n.op == "placeholder"] == [*specs]
    assert str(specs["b_scale"]) == "b_scale: BUFFER target='scale' persistent=False"
    assert specs["x"].kind is torch.export.InputKind.USER_INPUT
    text = str(ep)
    assert 'p_body_0_weight: "f32[3, 4]"' in text and "x: USER_INPUT" in text
    assert "linear(x, p_body_0_weight, p_body_0_bias)" in ep.graph_module.code
    assert "return ({'values': " in ep.graph_module.print_readable(False)
    assert len(ep.graph.find_nodes(op="call_function", target="linear")) == 1
    assert ep.state_dict.keys() == model.state_dict().keys()
    assert [n for n, _ in ep.named_parameters()] == [n for n, _ in model.named_parameters()]

    module = ep.module()
    assert module.state_dict().keys() - {"constant_0"} <= {*model.state_dict(), "scale"}
    want, _ = model(x, pair, 3)
    for mode in (torch.enable_grad, torch.no_grad):
        with mode():
            got, _ = module(x, pair, k=3)
            assert torch.allclose(got["values"], want["values"])
            assert torch.equal(got["places"], want["places"])
    module(x, pair, 3)[0]["values"].sum().backward()
    grad = model.body[0].weight.grad.clone()
    model.zero_grad()
    want["values"].sum().backward()
    assert torch.allclose(grad, model.body[0].weight.grad) and module.unread is model.unread
    model.train()  # the program stays that of eval mode, with the weights as they are now
    torch.optim.SGD(model.parameters(), lr=1.0).step()
    after = module(x, pair, 3)[0]["values"]
    assert torch.allclose(after, model.eval()(x, pair, 3)[0]["values"], atol=1e-6)
    assert not torch.allclose(after, want["values"])


def test_train_mode_is_exported_and_nothing_else_changes():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout())
    x, state = torch.randn(5, 4), torch.get_rng_state()
    ep = torch.export.export(model, (x,))
    assert torch.equal(torch.get_rng_state(), state) and model.training
    assert model[1].num_batches_tracked == 0 and model[1].running_mean.tolist() == [0, 0, 0]
    assert {*ep.graph_signature.buffers_to_mutate.values()} == {
        "1.running_mean", "1.running_var", "1.num_batches_tracked"
    }  # fmt: skip
    torch.manual_seed(0)
    got = ep.module()(x)
    other = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout())
    other.load_state_dict({**model.state_dict(), "1.running_mean": torch.zeros(3),
                           "1.running_var": torch.ones(3)})  # fmt: skip
    torch.manual_seed(0)
    assert torch.allclose(got, other(x)) and model[1].num_batches_tracked == 1


def test_one_tensor_twice_and_several_results():
    class Both(nn.Module):
        def forward(self, a, b, *more):
            low, high = torch.aminmax(a)
            return a * b, low + high, more[0][0]

    x = torch.rand(3)
    ep = torch.export.export(Both(), (x, x, x))
    assert ep.graph_signature.user_inputs == ("a", "b", "more_0")
    assert torch.allclose(ep.module()(x, x + 1, x)[0], x * (x + 1))
    assert torch.allclose(ep.module()(x, x, x)[0], x * x)
    moments = [n for n in ep.graph.nodes if n.target is operator.getitem]
    assert all(n.args[0].op == "call_function" for n in moments)


class Outer(nn.Module):
    def forward(self, x, more):
        table = (x[None] * more["y"][:, None]).reshape(-1, x.shape[-1])
        return table.mean(0), torch.cat([x, x])


def test_sizes_that_may_differ():
    rows, columns = torch.export.dims("rows", "columns", max=9)
    model, x, y = Outer(), torch.rand(3, 4), torch.rand(5, 1)
    shapes = {"x": {0: rows, 1: torch.export.Dim.STATIC}, "more": {"y": [columns, None]}}
    ep = torch.export.export(model, (x, {"y": y}), dynamic_shapes=shapes)
    assert 'x: "f32[s0, 4]", more_0: "f32[s1, 1]"' in ep.graph_module.code
    assert 'reshape: "f32[s0*s1, 4]"' in ep.graph_module.code and "f32[2*s0, 4]" in str(ep)
    assert str(ep.range_constraints) == "{'s0': VR[0, 9], 's1': VR[0, 9]}"
    for m, n in ((1, 1), (9, 2)):
        x = torch.rand(4, m, requires_grad=True)
        given = (x.T * 2, {"y": torch.rand(n, 1)})  # a view, of a graph
        for a, b in zip(ep.module()(*given), model(*given), strict=True):
            assert torch.allclose(a, b, equal_nan=True)
        a.sum().backward()
        assert x.grad.tolist() == torch.full((4, m), 4.0).tolist()
    for x, why in ((torch.rand(10, 4), r"0 <= x.size\(\)\[0\] <= 9, not 10"),
                   (torch.rand(3, 5), r"x.size\(\)\[1\] == 4, not 5")):  # fmt: skip
        with pytest.raises(RuntimeError, match=why):
            ep.module()(x, {"y": torch.rand(5, 1)})


def test_a_model_that_does_something_else_for_another_size():
    class Repeats(nn.Module):
        def forward(self, x):
            for _ in range(min(len(x), 6)):
                x = x + 1
            return x

    for n, why in ((3, "3 steps, and 4"), (7, "")):
        axes = ({0: torch.export.Dim("n")},)
        if why:
            with pytest.raises(RuntimeError, match=f"Constraints violated.*{why}"):
                torch.export.export(Repeats(), (torch.rand(n),), dynamic_shapes=axes)
            continue
        ep = torch.export.export(Repeats(), (torch.rand(n),), dynamic_shapes=axes)
        assert torch.equal(ep.module()(torch.ones(9)), torch.full((9,), 7.0))
        with pytest.raises(RuntimeError, match="Constraints violated"):
            ep.module()(torch.ones(2))


def in_file(data):
    file = io.BytesIO()
    torch.save(data, file)
    file.seek(0)
    return file


class Described(nn.Module):
    """A weight that is not read, a buffer that is not kept, a tensor of the program's own."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
        self.register_buffer("shift", torch.ones(2, 1, 1), persistent=False)

    def forward(self, x, y):
        return {"a": self.norm(self.conv(x)).relu() + self.shift, "b": [y * TABLE, 3]}


TABLE = torch.arange(3.0)


def test_a_program_in_a_file():
    """What is loaded has the same nodes, names, weights and results."""
    model, given = Described().eval(), (torch.randn(2, 1, 5, 5), torch.randn(3))
    ep, file = torch.export.export(model, given), io.BytesIO()
    torch.export.save(ep, file)
    file.seek(0)
    again = torch.export.load(file)
    lines = [[x for x in str(y).splitlines() if "py:" not in x] for y in (ep, again)]
    assert lines[0] == lines[1] and str(again.graph) == str(ep.graph)
    assert [*again.state_dict] == [*ep.state_dict] and [*again.constants] == [*ep.constants]
    module, want = again.module(), model(*given)
    for found in (module(*given), module(given[0], y=given[1])):
        assert torch.equal(found["a"], want["a"]) and torch.equal(found["b"][0], want["b"][0])
    with torch.no_grad():
        for m in (module, model):
            m.conv.weight.mul_(2)
    assert torch.equal(module(*given)["a"], model(*given)["a"])
    with pytest.raises(RuntimeError, match="was saved for"):
        module(torch.ones(1, 1, 5, 5), given[1])


@pytest.mark.parametrize(("call", "error", "why"), [
    (lambda m, x: torch.export.export(lambda x: x, (x,)), ValueError, "Expected `mod` to be an"),
    (lambda m, x: torch.export.export(m, x), TypeError, r"Expecting `args` to be a tuple"),
    (lambda m, x: torch.export.export(m, (x,), dynamic_shapes={"x": {0: 3}}), RuntimeError,
     "no argument 'x', but input"),
    (lambda m, x: torch.export.export(m, (x,), dynamic_shapes=({0: 3},)), RuntimeError, "not 3"),
    (lambda m, x: torch.export.export(m, (x,), dynamic_shapes=(torch.export.Dim("b"),)),
     RuntimeError, "input is a tensor: a dict of its axes"),
    (lambda m, x: torch.export.export(m, (x,), dynamic_shapes=({"0": 2},)), RuntimeError,
     "has no axis '0'"),
    (lambda m, x: torch.export.export(m, ([x, x],), dynamic_shapes=([{0: 2}],)), RuntimeError,
     "input is of type list of 2"),
    (lambda m, x: torch.export.Dim("n", min=3, max=2), AssertionError, "inconsistent min=3"),
    (lambda m, x: torch.export.export(m, (x,)).module()(torch.ones(3, 4)), RuntimeError,
     r"exported for float32 \(2, 4\)"),
    (lambda m, x: torch.export.export(m, (x,)).module()(), TypeError, "takes input, but got 0"),
    (lambda m, x: torch.export.export(m, (x,)).module().eval(), NotImplementedError, "eval()"),
    (lambda m, x: torch.export.export(m, (x,)).graph_module(x), RuntimeError, r"ep\.module\(\)"),
    (lambda m, x: torch.export.save(torch.export.export(m, (x,), dynamic_shapes=(
        {0: torch.export.Dim("b")},)), io.BytesIO()), RuntimeError, "of the sizes of the example"),
    (lambda m, x: torch.export.save(m, io.BytesIO()), TypeError, "instance of 'ExportedProgram'"),
    (lambda m, x: torch.export.register_dataclass(int), ValueError, "not a dataclass"),
    (lambda m, x: torch.export.ShapesCollection(), AttributeError, "dynamic_shapes="),
    (lambda m, x: torch.export.load(in_file({"a": x})), RuntimeError, "no exported program"),
    (lambda m, x: torch.export.load(in_file({"format": FORMAT, "name": "f", "values": 3})),
     RuntimeError, "the file is damaged"),
    (lambda m, x: torch.export.unflatten, AttributeError, "has the modules' names"),
])  # fmt: skip
def test_what_is_refused_says_why(call, error, why):
    with pytest.raises(error, match=why):
        call(nn.Linear(4, 2), torch.ones(2, 4))


@dataclass
class Batch:
    x: torch.Tensor
    y: torch.Tensor


class OfBatches(nn.Module):
    def forward(self, batch):
        return Batch(batch.x * 2, batch.y + 1)


def test_a_dataclass_goes_in_and_comes_out():
    torch.export.register_dataclass(Batch)
    batch = Batch(torch.ones(2), torch.ones(3))
    program = torch.export.export(OfBatches(), (batch,))
    assert "return Batch(x=mul, y=add)" in str(program) and len(program.graph.nodes) == 5
    found = program.module()(batch)
    assert type(found) is Batch and (found.x == 2).all() and (found.y == 2).all()


class ByName(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x, *, scale=1.0, y, **more):
        return self.layer(x) * scale + y + sum(more.values())


def test_arguments_that_are_given_by_name_only():
    model, x, y = ByName(), torch.ones(4, 3), torch.ones(2)
    ep = torch.export.export(model, (x,), {"y": y, "scale": 2.0, "z": y * 2})
    names = [s.arg.name for s in ep.graph_signature.input_specs]
    assert names == ["p_layer_weight", "p_layer_bias", "x", "y", "z"]
    for given in ({"y": y, "scale": 2.0, "z": y * 2}, {"z": y, "scale": 2.0, "y": y * 3}):
        assert torch.equal(ep.module()(x, **given), model(x, **given))
    with pytest.raises(TypeError, match="takes x, scale, y, z"):
        ep.module()(x, 2.0, y, y)
    shapes = {"x": {0: torch.export.Dim("rows")}, "y": None}
    ep = torch.export.export(model, (x,), {"y": y}, dynamic_shapes=shapes)
    assert torch.equal(ep.module()(torch.ones(7, 3), y=y), model(torch.ones(7, 3), y=y))


def test_sizes_that_follow_from_another():
    class Pairs(nn.Module):
        def forward(self, x, y):
            return x + y[::2], y[1:] * 2

    n = torch.export.Dim("n", min=2, max=50)
    shapes = {"x": {0: n}, "y": {0: 2 * n}}
    ep = torch.export.export(Pairs(), (torch.ones(3), torch.ones(6)), dynamic_shapes=shapes)
    assert 'y: "f32[2*s0]"' in str(ep)
    x, y = torch.arange(5.0), torch.arange(10.0)
    assert all(map(torch.equal, ep.module()(x, y), Pairs()(x, y)))
    with pytest.raises(RuntimeError, match=r"y\.size\(\)\[0\] == 2\*n, which is 10, not 8"):
        ep.module()(x, y[:8])
    for wrong, why in (({"x": {0: n}, "y": {0: n + 2}}, "is 6, and n \\+ 2 is 5"),
                       ({"x": None, "y": {0: n * 2}}, "no axis is n itself")):  # fmt: skip
        with pytest.raises(RuntimeError, match=why):
            torch.export.export(Pairs(), (torch.ones(3), torch.ones(6)), dynamic_shapes=wrong)
    assert repr(3 * n - 1) == "3*n - 1"
    with pytest.raises(NotImplementedError, match="by, a number"):
        n + n


def test_an_if_on_data_cannot_be_exported():
    class Chooses(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(RuntimeError, match=r"if x > 0.*test_exported\.py"):
        torch.export.export(Chooses(), (torch.ones(2),))


def test_arguments_given_by_name_find_their_place():
    class Named(nn.Module):
        def forward(self, x, bias=None, k=2, other=None):
            return x * k if bias is None else x * k + bias

    model, x, y = Named(), torch.ones(2, 3), torch.full((3,), 5.0)
    ep = torch.export.export(model, (x,), {"k": 3})  # `bias` stands before it
    assert ep.example_inputs[1] == {"k": 3} and len(ep.example_inputs[0]) == 1
    assert torch.equal(ep.module()(x, k=3), model(x, k=3))
    for wrong, error in [({"k": 4}, RuntimeError), ({"k": 3, "bias": y}, RuntimeError),
                         ({}, TypeError), ({"k": 3, "x": x}, TypeError)]:  # fmt: skip
        with pytest.raises(error):
            ep.module()(x, **wrong)
    dims = {"x": {0: torch.export.Dim("n")}, "bias": None}
    ep = torch.export.export(model, (x,), {"bias": y}, dynamic_shapes=dims)
    assert torch.equal(ep.module()(torch.ones(5, 3), bias=y), model(torch.ones(5, 3), y))
    ep = torch.export.export(model, (x,), {"k": 3}, dynamic_shapes={"x": dims["x"], "k": None})
    assert torch.equal(ep.module()(torch.ones(5, 3), k=3), model(torch.ones(5, 3), k=3))
