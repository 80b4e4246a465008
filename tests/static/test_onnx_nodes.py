"""The operations that `onnx.load` knows, on the cases that the package onnx has for each."""

import importlib
import io
import pkgutil
import warnings

import numpy as np
import pytest

import microtorch as torch

onnx = pytest.importorskip("onnx")
node = pytest.importorskip("onnx.backend.test.case.node")
from onnx import helper, numpy_helper  # noqa: E402

LEFT_OUT = {"averagepool", "maxpool", "lppool"}  # large volumes, which take seconds: see below
RANDOM = ("training_dropout", "bernoulli")


def array(x):
    return numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else np.asarray(x)


def given_as(x):
    """An input: a tensor, a sequence of them, or None."""
    if isinstance(x, list):
        return [given_as(y) for y in x]
    return None if x is None else torch.from_numpy(np.array(array(x)))


def flat(x):
    return [t for part in x for t in flat(part)] if isinstance(x, (tuple, list)) else [x]


def loaded(model):
    return torch.onnx.load(io.BytesIO(model.SerializeToString()))


@pytest.mark.filterwarnings("ignore")
def test_the_cases_of_the_package_onnx():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for m in pkgutil.iter_modules(node.__path__):
            if not m.name.startswith("_") and m.name not in LEFT_OUT:
                importlib.import_module(f"{node.__name__}.{m.name}")
    done, named = 0, []
    for case in node._NodeTestCases:
        if any(word in case.name for word in RANDOM):
            continue
        (given, wanted), = case.data_sets
        try:
            tensors = [given_as(x) for x in given]
        except (TypeError, ValueError):  # a dtype that there is not
            continue
        try:
            got = loaded(case.model)(*tensors)
        except NotImplementedError as error:
            named.append((case.name, str(error)))
            continue
        for g, w in zip(flat(got), map(array, flat(wanted)), strict=True):
            half = g.dtype == torch.bfloat16
            found = g.detach().float().numpy().astype(w.dtype) if half else g.detach().numpy()
            assert found.dtype == w.dtype and found.shape == w.shape, case.name
            np.testing.assert_allclose(
                *[x.astype(np.float64) if x.dtype.kind in "fV" else x for x in (found, w)],
                rtol=2e-2 if half else 1e-3, atol=1e-3 if w.dtype == np.float16 else 1e-5,
                err_msg=case.name)  # fmt: skip
        done += 1
    assert done > 1500, done
    assert all("is not known" in why for _, why in named) and len(named) < 95


def model_of(line, takes="float[2,2,6,7] x", gives="float[a,b,c,d] y"):
    """A model of one node, in the text form of the package onnx."""
    head = '<ir_version: 10, opset_import: ["": 22]> g'
    return onnx.parser.parse_model(f"{head} ({takes}) => ({gives}) {{ {line} }}")


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("op", "attrs"), [
    ("AveragePool", "pads = [2, 1, 0, 1], count_include_pad = 1"),
    ("AveragePool", "pads = [2, 1, 0, 1], strides = [2, 2]"),
    ("AveragePool", "dilations = [2, 2], ceil_mode = 1, strides = [2, 1]"),
    ("AveragePool", 'auto_pad = "SAME_LOWER", strides = [2, 3]'),
    ("MaxPool", "pads = [2, 1, 0, 1], dilations = [1, 2], strides = [3, 1]"),
    ("MaxPool", 'auto_pad = "SAME_UPPER", strides = [2, 3]'),
    ("MaxPool", "ceil_mode = 1, strides = [2, 2], pads = [1, 1, 1, 1]"),
    ("LpPool", "p = 3, strides = [2, 2]"),
])  # fmt: skip
def test_pooling(op, attrs):
    from onnx.reference import ReferenceEvaluator

    x = numbers(2, 2, 6, 7)
    model = model_of(f"y = {op}<kernel_shape = [3, 2], {attrs}>(x)")
    wanted, = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_allclose(loaded(model)(torch.tensor(x)).numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_where_the_largest_lay():
    x = numbers(2, 2, 6, 7)
    model = model_of("y, i = MaxPool<kernel_shape = [3, 2], pads = [1, 1, 1, 0]>(x)",
                     gives="float[a,b,c,d] y, int64[a,b,c,d] i")  # fmt: skip
    y, i = loaded(model)(torch.tensor(x))
    np.testing.assert_array_equal(x.reshape(-1)[i.numpy()], y.numpy())


LAYER = "float[3,1,2] x, float[1,8,2] w, float[1,8,2] r"


@pytest.mark.parametrize(("line", "takes", "why"), [
    ("y = RoiAlign(x, r, i)", "float[2,2,6,7] x, float[1,4] r, int64[1] i",
     "the operation RoiAlign is not known"),
    ("y = com.acme.Relu(x)", None, r"the operation com\.acme\.Relu"),
    ("y = Resize<antialias = 1>(x, , s)", "float[2,2,6,7] x, float[4] s",
     r"Resize with antialias = 1 is not known\n.*which gives y"),
    ("y = LSTM<hidden_size = 2, clip = 1.0>(x, w, r)", LAYER, r"LSTM with clip = 1\.0"),
    ("y, a = Dropout(x)", None, ""),
    ("y, a, b = BatchNormalization<training_mode = 1>(x, s, s, s, s)",
     "float[2,2,6,7] x, float[2] s", ""),
    ("y, a = Softmax(x)", None, "Softmax with 2 outputs"),
])  # fmt: skip
def test_what_is_not_known_is_named_when_the_file_is_read(line, takes, why):
    model = model_of(line, takes or "float[2,2,6,7] x")
    model.opset_import.append(helper.make_opsetid("com.acme", 1))
    from microtorch.static.onnx_in import OnnxModule  # the checker refuses some by itself

    if why:
        with pytest.raises(NotImplementedError, match=why):
            OnnxModule(model)
    else:
        OnnxModule(model)


def test_a_recurrent_layer_of_a_file_trains():
    model = model_of("y = LSTM<hidden_size = 2>(x, w, r)", LAYER)
    for name in "wr":
        model.graph.initializer.append(numpy_helper.from_array(numbers(1, 8, 2), name))
    module = loaded(model)
    module(torch.tensor(numbers(3, 1, 2))).sum().backward()
    assert {n for n, p in module.named_parameters() if p.grad is not None} == {"w", "r"}
    model.graph.node[0].op_type = "GRU"
    model.graph.node[0].attribute.append(helper.make_attribute("activations", ["Relu", "Tanh"]))
    with pytest.raises(NotImplementedError, match="with the activations"):
        loaded(model)(torch.tensor(numbers(3, 1, 2)))


def test_graphs_in_a_graph_train():
    """x is halved while it is too large, and each round's value is kept; If chooses by its sum."""
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 22]> g (float[3] x) => (float[3] y, float[n,3] all)'
        "<float[3] w = {1.0, 2.0, 3.0}> {"
        " v = Mul(x, w)"
        " most = Constant<value = int64 {9}>() go = Constant<value = bool {1}>()"
        " u, all = Loop(most, go, v) <body = b (int64 i, bool c, float[3] a)"
        "   => (bool more, float[3] h, float[3] kept) {"
        "   half = Constant<value = float {0.5}>() h = Mul(a, half)"
        "   s = ReduceMax<keepdims = 0>(h) one = Constant<value = float {1.0}>()"
        "   more = Greater(s, one) kept = Mul(h, w) }>"
        " t = ReduceSum<keepdims = 0>(u) zero = Constant<value = float {0.0}>()"
        " p = Greater(t, zero)"
        " y = If(p) <then_branch = yes () => (float[3] r) { r = Mul(u, w) },"
        "           else_branch = no () => (float[3] q) { q = Neg(u) }> }"
    )
    net = loaded(model)
    w = net.w
    for sign in (1, -1):
        x = torch.tensor([4.0, 1.0, 1.5]) * sign
        y, every = net(x)
        rounds = 3 if sign == 1 else 1
        v = x * w
        halves = [v * 0.5 ** (i + 1) for i in range(rounds)]
        want = halves[-1] * w if sign == 1 else -halves[-1]
        assert torch.allclose(y, want) and torch.allclose(every, torch.stack(halves) * w)
        grads = [torch.autograd.grad(z.sum(), w, retain_graph=True)[0] for z in (y, want)]
        assert torch.allclose(*grads)


@pytest.mark.parametrize(("line", "mean", "spread"), [
    ("y = RandomNormal<shape = [4000], mean = 2.0, scale = 3.0>()", 2, 3),
    ("y = RandomNormalLike<seed = 1.5>(x)", 0, 1),
    ("y = RandomUniform<shape = [4000], low = 1.0, high = 3.0>()", 2, 2 / 12**0.5),
    ("y = RandomUniformLike<dtype = 11>(x)", 0.5, 1 / 12**0.5),
    ("y = Bernoulli(x)", 0.25, 0.25**0.5 * 0.75**0.5),
    ("z = Log(p) m = Multinomial<sample_size = 4000>(z) y = Cast<to = 1>(m)", 1.2, 0.4),
])  # fmt: skip
def test_random_numbers_of_a_file(line, mean, spread):
    model = model_of(line, "float[4000] x, float[1,3] p", "float[n] y")
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.elem_type = 11 if "11" in line else 1
    net, given = loaded(model), (torch.full((4000,), 0.25), torch.tensor([[0.0, 0.8, 0.2]]))
    torch.manual_seed(0)
    y, other = net(*given), net(*given)
    assert y.dtype == (torch.float64 if "11" in line else torch.float32) and y.numel() == 4000
    assert abs(y.mean().item() - mean) < 0.15 and abs(y.std().item() - spread) < 0.1
    assert torch.equal(y, other) is ("seed" in line)


def test_functions_of_a_file_are_written_out():
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 22, "own": 1]> g (float[3] x) => (float[3] y)'
        "<float[3] w = {1.0, 2.0, 3.0}> { h = own.twice<by = 2.0>(x) y = Mul(h, w) }"
        '<domain: "own", opset_import: ["": 22, "own": 1]> twice<by>(a) => (b)'
        " { c = Constant<value_float: float = @by>() d = own.half(a) b = Mul(d, c) }"
        '<domain: "own", opset_import: ["": 22]> half(a) => (b) { b = Add(a, a) }')  # fmt: skip
    net, x = loaded(model), torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    net(x).sum().backward()
    assert torch.equal(net(x), x * 4 * net.w) and torch.equal(x.grad, 4 * net.w)
