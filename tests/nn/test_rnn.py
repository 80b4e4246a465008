"""Recurrent layers: PyTorch's record, derivatives, the size of their graph, messages."""

import golden
import pytest
from golden import trained

import microtorch as torch
from microtorch import autograd, graph, nn
from microtorch.nn.layers import rnn


def layer(name, *args, shape=(5, 2, 3), state=None, **settings):
    def case(torch):
        module = getattr(torch.nn, name)(*args, **settings)
        x = torch.randn(shape)
        hx = None
        if state is not None:
            hx = torch.randn(state)
            hx = (hx, torch.randn(state)) if name.startswith("LSTM") else hx

        def joined(out):
            parts = (
                [out]
                if not isinstance(out, tuple)
                else [p for o in out for p in (o if isinstance(o, tuple) else (o,))]
            )
            return torch.cat([p.reshape(-1) for p in parts])

        return trained(torch, lambda_module(torch, module, hx), x, first=joined)

    return case


def lambda_module(torch, module, hx):
    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            return self.inner(x) if hx is None else self.inner(x, hx)

    return Wrapped()


CASES = {
    f"{name} {label}".strip(): layer(name, 3, 4, **settings)
    for name in ("RNN", "LSTM", "GRU")
    for label, settings in {
        "": {},
        "deep": {"num_layers": 2, "bias": False, "state": (2, 2, 4)},
        "both ways": {
            "num_layers": 2,
            "bidirectional": True,
            "batch_first": True,
            "state": (4, 5, 4),
        },
        "dropout": {"num_layers": 3, "dropout": 0.4},
        "unbatched": {"shape": (4, 3), "bidirectional": True, "state": (2, 4)},
    }.items()
} | {
    "RNN relu": layer("RNN", 3, 4, nonlinearity="relu"),
    **{
        f"{name}Cell": layer(f"{name}Cell", 3, 4, shape=(2, 3), state=(2, 4))
        for name in ("RNN", "LSTM", "GRU")
    },
    "LSTMCell one": layer("LSTMCell", 3, 4, bias=False, shape=(3,)),
}


@pytest.fixture(params=["composed of ops", "as one node"])
def way(request, monkeypatch):
    """Both ways in which a layer may run."""
    monkeypatch.setattr(rnn, "SPELT_OUT", 1 << 30 if request.param == "composed of ops" else 0)
    return request.param


@pytest.mark.parametrize("name", CASES)
def test_layers_compute_what_pytorch_computes(name, way):
    golden.check(f"test_rnn:{name}", CASES[name])


def test_names_and_reprs():
    net = nn.LSTM(2, 3, 2, batch_first=True, bidirectional=True, dropout=0.1)
    names = [f"{kind}_l{layer}{way}" for layer in (0, 1) for way in ("", "_reverse")
             for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]  # fmt: skip
    assert list(net.state_dict()) == names
    assert net.weight_ih_l1.shape == (12, 6)
    assert (
        repr(net) == "LSTM(2, 3, num_layers=2, batch_first=True, dropout=0.1, bidirectional=True)"
    )
    assert repr(nn.RNN(2, 3, bias=False)) == "RNN(2, 3, bias=False)"
    assert repr(nn.GRUCell(2, 3, bias=False)) == "GRUCell(2, 3, bias=False)"


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_derivatives(name, way):
    torch.manual_seed(1)
    net = getattr(nn, name)(2, 2, bidirectional=True).double()
    x = torch.randn(3, 1, 2, dtype=torch.float64, requires_grad=True)
    names = list(dict(net.named_parameters()))

    def function(x, *values):
        for n, v in zip(names, values, strict=True):
            net._parameters[n] = v
        return net(x)[0]

    values = [p.detach().clone().requires_grad_() for p in net.parameters()]
    assert autograd.gradcheck(function, [x, *values])
    assert autograd.gradgradcheck(
        function, [x, *values[:2]] + [v.detach() for v in values[2:]], atol=1e-4
    )


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_a_large_layer_is_one_node_that_backward_may_pass_twice(name, monkeypatch):
    torch.manual_seed(0)
    net = getattr(nn, name)(6, 8)
    x, start = torch.randn(12, 30, 6, requires_grad=True), torch.randn(1, 30, 8, requires_grad=True)
    found = []
    for limit in (0, 1 << 30):
        monkeypatch.setattr(rnn, "SPELT_OUT", limit)
        out, last = net(x, (start, start * 2) if name == "LSTM" else start)
        last = last[1] if name == "LSTM" else last
        if limit == 0:
            assert (
                out.grad_fn.name() == "SequenceBackward" and len(graph.reachable([out.node])) < 15
            )
        loss = (out[3:] ** 2).sum() + (last * 3).sum()
        for retain in (True, False):
            found.append(autograd.grad(loss, [x, start, *net.parameters()], retain_graph=retain))
        if limit == 0:
            assert out.grad_fn.saved is None  # the gates and the states are gone
    for one in found[1:]:
        for a, b in zip(found[0], one, strict=True):
            assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_large_layer_takes_gradients_of_parts_only(monkeypatch):
    """Of the last state alone, of the weights alone, and none at all."""
    monkeypatch.setattr(rnn, "SPELT_OUT", 0)
    net, x = nn.LSTM(3, 4), torch.randn(5, 2, 3)
    _, (_, c) = net(x)
    c.sum().backward()
    assert net.weight_hh_l0.grad.abs().sum() > 0
    net.requires_grad_(False)
    assert not net(x)[0].requires_grad
    net.weight_ih_l0.requires_grad_()
    (g,) = autograd.grad(net(x)[0].sum(), [net.weight_ih_l0])
    assert g.shape == (16, 3)
    out, _ = net(x)
    with torch.no_grad():
        out.mul_(2)
        net.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match=r"in-?place"):
        out.sum().backward()


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_dtypes_that_differ_are_an_error_and_halves_are_composed(name, way):
    net = getattr(nn, name)(3, 4)
    with pytest.raises(ValueError, match="does not match weight dtype"):
        net(torch.randn(5, 2, 3, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="same dtype"):
        hx = torch.zeros(1, 2, 4, dtype=torch.float64)
        net(torch.randn(5, 2, 3), (hx, hx) if name == "LSTM" else hx)
    out, _ = net.half()(torch.randn(5, 2, 3).half())
    assert out.dtype is torch.float16 and out.isfinite().all()


def test_the_graph_grows_linearly_and_is_drawable_as_steps():
    net = nn.LSTM(2, 3)

    def nodes(length):
        return len(graph.reachable([net(torch.randn(length, 1, 2))[0].sum().node]))

    assert nodes(30) - nodes(20) == nodes(20) - nodes(10)


def test_a_lstm_learns_to_remember():
    """The first of six tokens, asked for at the end."""
    torch.manual_seed(0)
    net, head = nn.LSTM(4, 12, batch_first=True), nn.Linear(12, 4)
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=0.03)
    for _ in range(60):
        tokens = torch.randint(0, 4, (32, 6))
        out, _ = net(nn.functional.one_hot(tokens, 4).float())
        loss = nn.functional.cross_entropy(head(out[:, -1]), tokens[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.4


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: nn.LSTM(3, 4)(torch.zeros(5, 2, 2)),
            RuntimeError,
            r"input.size\(-1\) must be equal to input_size. Expected 3, got 2",
        ),
        (
            lambda: nn.LSTM(3, 4)(torch.zeros(3)),
            ValueError,
            "Expected input to be 2D or 3D, got 1D instead",
        ),
        (
            lambda: nn.GRU(3, 4)(torch.zeros(5, 2, 3), torch.zeros(2, 2, 4)),
            RuntimeError,
            r"Expected hidden size \(1, 2, 4\), got \[2, 2, 4\]",
        ),
        (
            lambda: nn.LSTM(3, 4)(torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4), torch.zeros(2, 4))),
            RuntimeError,
            r"Expected hidden\[1\] size \(1, 2, 4\), got \[2, 4\]",
        ),
        (
            lambda: nn.LSTM(3, 4)(torch.zeros(0, 2, 3)),
            RuntimeError,
            "Expected sequence length to be larger than 0 in RNN",
        ),
        (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "smaller than hidden_size"),
        (lambda: nn.GRU(3, 4, proj_size=2), ValueError, "only supported for LSTM"),
        (lambda: nn.RNN(3, 4, nonlinearity="sin"), ValueError, "Select from 'tanh' or 'relu'"),
        (lambda: nn.RNN(3, 4, dropout=2.0), ValueError, "dropout should be a number in range"),
        (lambda: nn.RNN(3, 4)([1]), TypeError, "must be a Tensor or a PackedSequence"),
        (
            lambda: nn.RNNCell(3, 4)(torch.zeros(1, 2, 3)),
            ValueError,
            "Expected input to be 1D or 2D",
        ),
    ],
)
def test_messages(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_warning_of_dropout_in_one_layer():
    with pytest.warns(UserWarning, match="all but last recurrent layer"):
        nn.LSTM(3, 4, dropout=0.2)


def test_the_names_that_programs_read():
    layer = nn.LSTM(2, 3, 2, bidirectional=True, proj_size=1, bias=False)
    assert layer._flat_weights_names == list(layer.state_dict())
    assert layer.all_weights[3][2] is layer.weight_hr_l1_reverse
    assert [p.shape for p in layer._flat_weights] == [p.shape for p in layer.parameters()]
    layer._flat_weights = [layer._parameters[name] for name in layer._flat_weights_names]
    with pytest.raises(AttributeError, match="follows the attributes"):
        layer._flat_weights = [p * 2 for p in layer._flat_weights]
    modes = [nn.LSTM(1, 1), nn.GRU(1, 1), nn.RNN(1, 1), nn.RNN(1, 1, nonlinearity="relu")]
    assert [layer.mode for layer in modes] == ["LSTM", "GRU", "RNN_TANH", "RNN_RELU"]


def test_the_node_of_an_output_with_the_batch_first():
    x = torch.randn(2, 3, 4)
    shown = [
        type(kind(4, 5, batch_first=True)(x)[0].grad_fn).__name__
        for kind in (nn.RNN, nn.GRU, nn.LSTM)
    ]
    assert shown == ["TransposeBackward1", "TransposeBackward1", "TransposeBackward0"]
