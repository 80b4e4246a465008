"""The trace as a laboratory: its keys, its records, replacing values, playing it again."""

import re

import numpy as np
import pytest
from microtorch.viz.reading.trace import Trace
from microtorch.viz.telling.table import Table

import microtorch as torch
from microtorch import nn, viz
from microtorch.notation import algebra, expr


def mlp():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    return net, torch.randn(8, 2), torch.randn(8, 1)


# ---- keys ----------------------------------------------------------------------------------------
def test_a_value_has_many_names():
    net, x, y = mlp()
    h = net(x)
    loss = nn.functional.mse_loss(h, y)
    t = viz.trace(loss)
    for key in ("net.1", "net.1.relu", "relu", "1", "1.relu", "v₇", "v7", 8, -3):
        assert t[key].op == "relu", key
    for key in ("net.2", "h", "net", "linear:2", h, 9):
        assert t[key].name == "h", key
    assert t["net.0.weight"].role == "parameter" and t["0.weight"].shape == (4, 2)
    assert t[net[0].weight].name == "net.0.weight"
    assert [r.name for r in t] == t.names() and len(t) == len(t.rows) == 10
    assert "net.1" in t and "nonsense" not in t and x in t and torch.ones(1) not in t


def test_unknown_and_ambiguous_keys_say_what_there_is():
    net, x, y = mlp()
    t = viz.trace(nn.functional.mse_loss(net(x), y))
    with pytest.raises(KeyError, match=r"Did you mean 'net.2'") as error:
        t["net.4"]
    assert "\n" not in str(error.value) and "There are: 'x'" in str(error.value)
    with pytest.raises(KeyError, match=r"means 2 values.*'linear:1' .*row 7"):
        t["linear"]
    with pytest.raises(KeyError, match="there are 2"):
        t["linear:3"]
    for row in (0, 11, -11):
        with pytest.raises(IndexError, match="1 to 10"):
            t[row]


def test_calls_of_one_module_and_values_of_one_name_are_numbered():
    layer = nn.Linear(3, 3)
    x = torch.ones(2, 3)
    for _ in range(3):
        x = layer(x).tanh()
    t = viz.trace(x.sum())
    assert t["layer:2"].op == "linear" and t["layer:2"].children[0].name == t["x:3"].name
    with pytest.raises(KeyError, match="3 values"):
        t["layer"]


# ---- records -------------------------------------------------------------------------------------
def test_a_record_is_the_value_its_gradient_and_its_neighbours():
    net, x, y = mlp()
    h = net(x)
    h.retain_grad()
    loss = nn.functional.mse_loss(h, y)
    t = viz.trace(loss)
    assert net[0].weight.grad is None
    loss.backward()
    assert torch.equal(t["h"].value, h) and torch.allclose(t["h"].grad, h.grad)
    assert torch.allclose(t["net.0.weight"].grad, net[0].weight.grad)
    assert t["x"].grad is None and not t["h"].value.requires_grad
    assert [r.name for r in t["h"].parents] == ["v₇", "net.2.weight", "net.2.bias"]
    assert [r.name for r in t["h"].children] == ["loss"]
    assert t["h"].line == "h = net(x)" and t["h"].module == "net.2" and t["h"].dtype == "float32"
    assert "line " in str(t["h"]) and "from   v₇" in str(t["h"])


def test_after_backward_freed_values_are_there():
    net, x, y = mlp()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    assert torch.equal(viz.trace(loss)["relu"].value, net[1](net[0](x)))


def test_a_trace_stays_true_when_training_goes_on():
    net, x, y = mlp()
    h = net(x)
    loss = nn.functional.mse_loss(h, y)
    t = viz.trace(loss)
    before = net[0].weight.detach().clone()
    loss.backward()
    torch.optim.SGD(net.parameters(), 1.0).step()
    assert torch.equal(t["net.0.weight"].value, before)
    late = viz.trace(loss)
    assert late["net.0.weight"].value is None and "lost" in str(late["net.0.weight"])
    assert torch.equal(late["relu"].value, t["relu"].value) and late["relu"].grad is None
    assert "not run" in str(late.replay()) and viz.trace(net(x).sum())["net.0.weight"] is not None


def test_scalars():
    a = torch.Scalar(2.0)
    b = a * 3
    c = b.tanh() + a
    t = viz.trace(c)
    assert t["b"].value == 6.0 and t[a].grad == pytest.approx(1 + 3 * (1 - np.tanh(6) ** 2))
    assert t["b"].parents[1].value == 3.0 and t["b"].parents[1].row is None


def test_a_table_from_a_file_says_that_it_has_no_run():
    t = viz.trace((torch.Scalar(2.0) * 3).tanh())
    table = Table(Trace.from_json(t.trace.to_json()))
    assert str(table) == str(t)
    with pytest.raises(RuntimeError, match="no recorded run"):
        table[1]


# ---- intervening ---------------------------------------------------------------------------------
def test_ablation_gives_what_the_program_would_have_given():
    net, x, y = mlp()
    loss = nn.functional.mse_loss(net(x), y)
    r = viz.intervene(loss, {"net.1": lambda a: a * 0})
    with torch.no_grad():
        expected = nn.functional.mse_loss(net[2](torch.zeros(8, 4)), y)
    assert torch.equal(r.new, expected) and torch.equal(r.old, loss)
    assert net[0].weight.grad is None and r["net.0.weight"].grad is None
    assert torch.equal(r["net.2.weight"].grad, torch.zeros(1, 4))
    assert "replaced: v₇" in str(r) and "loss: 0.7910 → 0.9555" in str(r)
    assert [n.name for n in r.replaced] == ["v₇"]


def test_gradients_of_the_new_run_are_those_of_the_new_values():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    h = w * w
    loss = (h * w).sum()
    r = viz.intervene(loss, {"w": torch.tensor([3.0, 4.0])})
    assert r.new.item() == 91 and torch.equal(r["w"].grad, torch.tensor([27.0, 48.0]))
    r = viz.intervene(loss, {"h": torch.tensor([5.0, 6.0])})  # h is given: w is used once
    assert r.new.item() == 17 and torch.equal(r["w"].grad, torch.tensor([5.0, 6.0]))
    assert w.grad is None and torch.equal(w, torch.tensor([1.0, 2.0]))


def test_patching_from_another_run():
    net, x, y = mlp()
    clean = viz.trace(nn.functional.mse_loss(net(x), y))
    broken = viz.trace(nn.functional.mse_loss(net(x * 0), y))
    for patch in (clean, clean["net.1"], clean["net.1"].value):
        r = viz.intervene(broken, {"net.1": patch})
        assert torch.equal(r.new, clean[-1].value) and not torch.equal(r.old, r.new)


def test_several_replacements_in_the_order_of_the_program():
    a = torch.Scalar(2.0)
    b = a * 3
    c = b + 1
    r = viz.intervene(c, {"b": lambda v: v * 10, a: 1.0})
    assert (r["a"].value, r["b"].value, r.old, r.new) == (1.0, 30.0, 7.0, 31.0)


def test_replacements_that_do_not_fit():
    net, x, y = mlp()
    loss = nn.functional.mse_loss(net(x), y)
    with pytest.raises(RuntimeError, match=r"shape \(8, 4\), its replacement \(2,\)"):
        viz.intervene(loss, {"net.1": torch.ones(2)})
    with pytest.raises(TypeError, match="takes a dict of what replaces values, but got int"):
        viz.intervene(loss, 3)
    with pytest.raises(TypeError, match="replaced by str"):
        viz.intervene(loss, {"net.1": "zero"})
    with pytest.raises(KeyError, match="Did you mean"):
        viz.intervene(loss, {"net.9": 0})
    with pytest.raises(ValueError, match="nothing to replace"):
        viz.intervene(loss, {})
    loss.backward()
    torch.optim.SGD(net.parameters(), 1.0).step()
    with pytest.raises(RuntimeError, match="from before the step"):
        viz.intervene(loss, {"net.1": 0})


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x * x * g


def test_custom_functions_run_again_on_the_new_values():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    loss = Cube.apply(y).sum()
    r = viz.intervene(loss, {"y": torch.tensor([1.0, 3.0])})
    assert r.new.item() == 28 and torch.equal(r["y"].grad, torch.tensor([3.0, 27.0]))


def test_dropout_keeps_its_mask():
    torch.manual_seed(0)
    x = torch.ones(100, requires_grad=True)
    h = nn.functional.dropout(x, 0.5)
    loss = h.sum()
    assert viz.intervene(loss, {"x": 2.0}).new.item() == 2 * loss.item()


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_layers_whose_ops_have_several_outputs(kind):
    torch.manual_seed(0)
    layer, x = kind(2, 3), torch.randn(4, 1, 2, requires_grad=True)
    out, _ = layer(x)
    loss = (out**2).sum()
    for _ in range(2):  # before backward, and after
        t = viz.trace(loss)
        assert t.replay()
        r = viz.intervene(t, {"x": lambda a: a * 2})
        doubled = (x.detach() * 2).requires_grad_()
        again = (layer(doubled)[0] ** 2).sum()
        again.backward()
        assert torch.equal(r.new, again) and torch.allclose(r["x"].grad, doubled.grad)
        if loss.grad_fn is not None and x.grad is None:
            loss.backward()


def test_writes_in_place_are_run_again():
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y[0] = 5.0
    y.mul_(3)
    z = y.sum()
    t = viz.trace(z)
    assert t.replay() and viz.intervene(z, {"x": 2.0}).new.item() == 39
    assert torch.equal(t["y:1"].value, torch.tensor([2.0, 2.0, 2.0]))


def test_a_result_that_was_overwritten_behind_the_graphs_back_is_computed_again():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    with torch.no_grad():
        y += 1
    t = viz.trace(z)
    assert torch.equal(t["mul:1"].value, torch.tensor([2.0, 4.0])) and t.replay()
    assert viz.intervene(z, {"x": 1.0}).new.item() == 8


@pytest.mark.needs("dot")
def test_the_picture_marks_what_was_replaced(tmp_path):
    net, x, y = mlp()
    r = viz.intervene(nn.functional.mse_loss(net(x), y), {"net.1": 0})
    svg = r.draw(theme="dark").pipe("svg").decode()
    assert svg.count("replaced") == 1 and "value was 0.791" in svg
    assert (tmp_path / "x.svg").write_text(svg)


# ---- playing it again ----------------------------------------------------------------------------
def test_replay_agrees_bit_by_bit():
    net, x, y = mlp()
    t = viz.trace(nn.functional.mse_loss(net(x), y))
    assert t["relu"].time > 0 and t["x"].time is None
    played = t.replay()
    assert played and not played.failed and "4 of 4 ops" in str(played)
    assert all(r.moved for r in played.results) and t["relu"].time > 0


class Noisy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x + torch.randn(x.shape)

    @staticmethod
    def backward(ctx, g):
        return g


def test_replay_names_what_draws_random_numbers():
    x = torch.ones(3, requires_grad=True)
    y = Noisy.apply(x)
    t = viz.trace((y * 2).sum())
    state = torch.get_rng_state()
    played = t.replay()
    assert not played and played.failed == ["y"] and "draws random numbers" in str(played)
    assert torch.equal(torch.get_rng_state(), state)


def test_replay_tells_where_inputs_do_not_matter():
    x = torch.ones(3, requires_grad=True)
    played = viz.trace(x.sign().sum()).replay()
    assert "its inputs do not matter here" in str(played)


# ---- LaTeX ---------------------------------------------------------------------------------------
FUNCTIONS = dict(expr.SCALAR_FUNCTIONS)


def number(text, values):
    return expr.compile_scalar(text, ", ".join(values))(*values.values())


@pytest.mark.parametrize("seed", range(12))
def test_derivatives_as_formulas_have_the_values_of_backward(seed):
    """Random programs of numbers: the simplified derivative, run, is the gradient."""
    rng = np.random.default_rng(seed)
    leaves = [torch.Scalar(float(v)) for v in rng.uniform(0.5, 1.5, 3)]
    values = list(leaves)
    for _ in range(7):
        a, b = (values[i] for i in rng.integers(0, len(values), 2))
        made = [a + b, a * b, a - b, a / (b * b + 1), a.tanh(), a.sin(), (-a).exp(), a**2,
                a.sigmoid(), 3 * a - 1][rng.integers(10)]  # fmt: skip
        values.append(made)
    root = values[-1] + leaves[0] * leaves[1]
    written = viz.latex(root, leaves[0])
    root.backward()
    t = viz.trace(root)
    known = {f"n{n.id}": n.number for n in t.trace.nodes}
    assert number(written.formula, known) == pytest.approx(leaves[0].grad, rel=1e-9)
    assert str(written).count("{") == str(written).count("}")


def test_a_neuron_in_latex(tmp_path):
    x, w, b, y = (torch.Scalar(v) for v in (2.0, -0.5, 0.3, 1.0))
    n = x * w + b
    o = n.tanh()
    loss = (o - y) ** 2
    text = str(viz.latex(loss, w, values=True))
    function, chain, local, expanded, values = text.splitlines()[1:-1]
    assert r"\mathrm{loss} &= \left(\tanh\left(x \, w + b\right) - y\right)^{2}" in function
    assert r"\frac{\partial o}{\partial n}" in chain and chain.count(r"\frac") == 6
    assert local.strip() == r"&= 2 \, \left(o-y\right) \, (1 - o^{2}) \, x \\"
    assert r"(1 - \tanh^{2}\left(x \, w + b\right)) \, x" in expanded
    assert values.endswith("= -4.07342") and w.grad is None
    path = viz.latex(loss).save(tmp_path / "loss.tex")
    assert "partial" not in (tmp_path / "loss.tex").read_text() and path.endswith("loss.tex")
    assert viz.latex(loss, w)._repr_latex_().startswith("$$")


def test_tensors_in_latex():
    net, x, y = mlp()
    text = str(viz.latex(nn.functional.mse_loss(net(x), y), "net.0.weight", values=True))
    assert r"\frac{1}{n} \sum" in text and r"\begin{pmatrix}" in text
    assert r"\mathrm{net.2.bias}" in text and len(re.findall(r"\\partial", text)) > 5
    with pytest.raises(RuntimeError, match="no gradient flows"):
        viz.latex(nn.functional.mse_loss(net(x), y), x)


@pytest.mark.parametrize(
    ("formula", "simple"),
    [
        ("x * x * x / x + 2 * x * x", "3 * x ** 2"),
        ("where(2 == 0, 0, 2 * x ** (2 - 1))", "2 * x"),
        ("-x / y / y", "-(x / y ** 2)"),
        ("a - (b - c)", "a - (b - c)"),
        ("0 * x + y - y + 1 * z", "z"),
        ("(x ** 2) ** 3 * x ** -6", "1"),
        ("2 * x / 3", "2 * x / 3"),
        ("where(x > 0, y, y)", "y"),
    ],
)
def test_simplifying(formula, simple):
    assert algebra.text(algebra.read(formula)) == simple
    values = {n: v for n, v in zip("abcxyz", (1.5, -2.0, 0.5, 1.25, 3.0, -0.75), strict=True)}
    assert number(formula, values) == pytest.approx(number(simple, values))


@pytest.mark.parametrize("c", [float("inf"), float("-inf"), float("nan"), 1e300, 1e-300, 0.0])
def test_extreme_numbers_are_written_too(c):
    x = torch.Scalar(2.0)
    y = (x * c + x**c) / (x + 10.0) ** 400
    assert str(viz.latex(y, x, values=True)).startswith(r"\begin{aligned}")
