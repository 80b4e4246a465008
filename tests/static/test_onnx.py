"""ONNX, both ways: what is written runs elsewhere with the same numbers; what is read trains."""

import os

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

onnx = pytest.importorskip("onnx")
from onnx import numpy_helper  # noqa: E402

from microtorch.static.onnx_in import CALLS  # noqa: E402


def run(path, *given):
    """The outputs of a file: by onnxruntime, or by onnx's own evaluator."""
    try:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        names = [i.name for i in session.get_inputs()]
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(path))
        names = session.input_names
    return session.run(None, {n: x.numpy() for n, x in zip(names, given, strict=True)})


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(4, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(7, 8), nn.Linear(8, 7)

    def forward(self, x):
        q = self.table(x).view(2, 5, 2, 4).transpose(1, 2)
        h = F.scaled_dot_product_attention(q, q, q, is_causal=True)
        return self.head(h.transpose(1, 2).reshape(2, 5, 8))


CNN = nn.Sequential(
    nn.Conv2d(1, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4), nn.SiLU(), nn.MaxPool2d(2),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(4, 8), nn.GELU(),
    nn.LayerNorm(8), nn.Linear(8, 5), nn.Softmax(1),
)  # fmt: skip


@pytest.mark.parametrize(("model", "x"), [
    (CNN, torch.randn(2, 1, 12, 12)),
    (Recurrent(), torch.randn(3, 2, 4)),
    (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.randn(2, 5, 8)),
    (Attention(), torch.tensor([[0, 1, 2, 3, 6], [6, 6, 0, 1, 2]])),
], ids=["cnn", "lstm", "encoder", "attention"])  # fmt: skip
def test_a_model_there_and_back(tmp_path, model, x):
    path = tmp_path / "model.onnx"
    model.train()
    torch.onnx.export(model, x, path, input_names=["x"], output_names=["y"])
    assert model.training
    model.eval()
    want = model(x).detach().numpy()
    np.testing.assert_allclose(run(path, x)[0], want, rtol=1e-4, atol=1e-5)
    loaded = torch.onnx.load(path)
    np.testing.assert_allclose(loaded(x).detach().numpy(), want, rtol=1e-4, atol=1e-5)
    (loaded(x) ** 2).sum().backward()
    (model(x) ** 2).sum().backward()
    theirs = {n.replace(".", "_"): p.grad for n, p in model.named_parameters()}
    found = dict(loaded.named_parameters())
    assert {*theirs} <= {*found}
    for n, g in theirs.items():
        np.testing.assert_allclose(found[n].grad.numpy(), g.numpy(), rtol=1e-3, atol=1e-5)
    model.zero_grad()


def test_dynamic_axes_are_tried_out(tmp_path):
    path, axes = tmp_path / "model.onnx", {"x": {0: "n"}, "y": {0: "n"}}
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes}
    torch.onnx.export(CNN, torch.randn(2, 1, 12, 12), path, **names)
    x = torch.randn(5, 1, 12, 12)
    np.testing.assert_allclose(
        run(path, x)[0], CNN.eval()(x).detach().numpy(), rtol=1e-4, atol=1e-5)  # fmt: skip
    with pytest.raises(RuntimeError, match="other sizes"):
        torch.onnx.export(lambda x: x.sum() / len(x), torch.ones(3), path, **names)


def test_formulas_become_nodes_and_the_rest_is_named(tmp_path):
    path = tmp_path / "f.onnx"

    def f(x, y):
        a = F.mish(x) + F.hardswish(y) - torch.where(x > y, x.log1p(), y.expm1())
        return a.clamp(-1, 1), (x**2).mean(1), x.var(0), torch.cat([x, y]).logsumexp(1)

    x, y = torch.rand(3, 4), torch.rand(3, 4)
    torch.onnx.export(f, (x, y), path)
    for got, want in zip(run(path, x, y), f(x, y), strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-4, atol=1e-5)
    assert "test_onnx.py" in onnx.load(path).graph.node[0].doc_string
    with pytest.raises(RuntimeError, match=r"inv.*test_onnx.py(.|\n)*leave it out"):
        torch.onnx.export(lambda x: torch.linalg.inv(x), torch.eye(3), path)


def test_a_frozen_part_stays_in_its_mode(tmp_path):
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout())
    model[1].eval()
    torch.onnx.export(model, torch.randn(3, 4), tmp_path / "m.onnx")
    assert [m.training for m in model.modules()] == [True, True, False, True]


def test_integers_and_positions(tmp_path):
    path, i = tmp_path / "f.onnx", torch.tensor([[-7, -3, 2], [4, -1, 9]])

    def f(a, b):
        return a % 3, torch.fmod(a, 3), a.argmax(1), a.float().argmin(0, keepdim=True), a - b

    torch.onnx.export(f, (i, i), path)  # one tensor, and two inputs
    for got in (run(path, i, i + 2), torch.onnx.load(path)(i, i + 2)):
        for g, want in zip(got, f(i, i + 2), strict=True):
            assert np.asarray(g).dtype == want.numpy().dtype
            np.testing.assert_array_equal(np.asarray(g), want.numpy())


class Named(nn.Module):
    """Its tensors have the names that the writer would give; one equals a constant."""

    def __init__(self):
        super().__init__()
        self.t1, self.v2 = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))

    def forward(self, x):
        return ((x + 1) * self.t1 + self.v2) * torch.ones(3)


def test_names(tmp_path):
    path, model, x = tmp_path / "m.onnx", Named(), torch.rand(2, 3)
    torch.onnx.export(model, x, path, input_names=["constant_2"], output_names=["t3"])
    np.testing.assert_allclose(run(path, x)[0], model(x).detach().numpy())
    torch.onnx.load(path)(x).sum().backward()
    torch.onnx.export(lambda x: (x, x), x, path)
    assert len(run(path, x)) == 2
    for names, why in [
        ({"input_names": ["t1"]}, "'t1' names more than one value"),
        ({"input_names": ["a"], "output_names": ["a"]}, "'a' names more than one value"),
        ({"input_names": ["a", "b"]}, "2 input_names"),
        ({"output_names": ["a", "b"]}, "2 output_names"),
    ]:
        with pytest.raises(ValueError, match=why):
            torch.onnx.export(model, x, path, **names)
    with pytest.warns(UserWarning) as said:
        torch.onnx.export(model, x, path, dynamic_axes={"q": [0]}, opset_version=11)
    assert "Provided key q" in str(said[0].message)
    assert "opset 18 is written, not 11" in str(said[1].message)
    assert {w.filename for w in said} == {__file__}


def test_what_the_checker_refuses_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"floor_\d+, at test_onnx.py.*no valid ONNX model"):
        torch.onnx.export(lambda i: i.floor(), torch.ones(2).long(), tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="opset_version=99"):
        torch.onnx.export(lambda x: x + 1, torch.ones(2), tmp_path / "m.onnx", opset_version=99)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_models_of_the_package_onnx():
    """Small public models, of which the package knows what they give."""
    base = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    done = 0
    for kind in ("pytorch-converted", "pytorch-operator", "simple"):
        for name in sorted(os.listdir(os.path.join(base, kind))):
            folder = os.path.join(base, kind, name)
            model = onnx.load(os.path.join(folder, "model.onnx"))
            if not {n.op_type for n in model.graph.node} <= {*CALLS, "Constant"}:
                continue
            data = os.path.join(folder, "test_data_set_0")
            arrays = {}
            for file in sorted(os.listdir(data)):
                proto = onnx.TensorProto()
                with open(os.path.join(data, file), "rb") as f:
                    proto.ParseFromString(f.read())
                arrays[file] = numpy_helper.to_array(proto)
            given = [torch.tensor(a) for n, a in arrays.items() if n.startswith("input")]
            got = torch.onnx.load(os.path.join(folder, "model.onnx"))(*given)
            got = got if isinstance(got, tuple) else (got,)
            wanted = [a for n, a in arrays.items() if n.startswith("output")]
            for g, w in zip(got, wanted, strict=True):
                np.testing.assert_allclose(g.detach().numpy(), w, rtol=1e-3, atol=1e-5,
                                           err_msg=name)  # fmt: skip
            done += 1
    assert done > 90
