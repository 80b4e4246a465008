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
    nn.LayerNorm(8), nn.GroupNorm(2, 8), nn.Linear(8, 5), nn.Softmax(1),
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
    class Residual(nn.Module):
        def forward(self, x):
            out = F.relu(x * 2, inplace=True)
            out += x
            return out.flatten(1)

    torch.onnx.export(Residual(), torch.randn(2, 3, 2), path, **names)
    x = torch.randn(4, 3, 2)
    np.testing.assert_allclose(run(path, x)[0], Residual()(x).numpy(), rtol=1e-6)
    names["dynamic_axes"] = {"x": {0: "n"}}
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


AT = torch.tensor([2, 0, 1])
TURNS = torch.polar(torch.ones(3, 2), torch.arange(6.0).reshape(3, 2))


def written(x):
    y = x.clone()
    row, block = y[0], y[1:, 1:]
    y[0] = 5.0
    y[:, 1] += x[:, 0]
    block.mul_(2)
    y[AT[:2], 3] = -1.0
    return y, row * 1, block + row[1:], y.view(-1)[2:5].add_(1), y * 2


def filled(x):
    """At places along later dimensions, and by masks of fewer dimensions."""
    found = [torch.stack([x, x + 1]) * 1 for _ in range(4)]
    found[0][:, AT] = x[0]
    found[1][:, AT[:2], AT[1:]] = 5.0
    found[2][0, AT[:1], 1:3] = -2.0
    found[3][found[3][:, :, 0] > 0] = 0.0
    return found


MANY = {
    "what is returned": lambda x: (x, x[0], x.T, x.reshape(-1)[3:], x.flatten(), {"a": [x[None]]}),
    "what is written into": written,
    "places": lambda x: (
        x[AT], x[:, AT], x[AT, AT], x[AT, 1], x[-1], x[:, None, ::2], x[None, :, 0], x.flip(0, 1),
        x.roll(1, 1),
        x.diagonal(), x.unfold(1, 2, 1), x.unbind(0), x.split([1, 3], 1), x.repeat_interleave(2, 0),
        x.gather(1, x.argmax(1, keepdim=True)), x.index_select(1, AT), x.repeat(2, 1), x.tril(),
        torch.block_diag(x, x[:2]), torch.cross(x, x + 1, dim=0)),
    "scattered": lambda x: (
        x.scatter(1, AT[:, None], 0.5), x.scatter_add(1, AT[:, None], x[:, :1]),
        x.index_put((AT,), x * 2), x.index_put((AT, AT), x[0, :3], accumulate=True)),
    "places of all kinds": lambda x: [
        *[y for v in [torch.stack([x, x + 1])] for y in (
            v[:, AT, AT], v[..., AT], v[AT[:1] - 1, :, AT], v[:, None, AT], v[0, AT],
            v[:, AT[:, None], AT[None]], v[:, AT, 1:3], v[1, ..., AT - 1], v.index_add(1, AT, v),
            v.index_copy(1, AT.flip(0), v), v.index_fill(2, AT[:2], 0.5),
            v.index_put((AT * 0 + 1, AT), x), v[:, :, 0].t()[0].t())],
        *filled(x)],
    "order": lambda x: (
        x.max(1), x.min(0), x.max(), x.argmax(), x.topk(2), x.sort(1, descending=True), x.sort(0),
        x.median(1), x.argsort(1)),
    "sums": lambda x: (
        x.norm(), x.norm(1, 1), x.norm(3, 1), torch.linalg.vector_norm(x, float("inf")),
        x.logsumexp((0, 1)), (x > 0).sum(1), (x > 0).any(1), (x > 0).all(), x.trace(),
        torch.cdist(x, x + 1), torch.einsum("ij,kj->ik", x, x), F.normalize(x)),
    "numbers": lambda x: (
        x // 0.5, x.long() // 2, x.div(0.3, rounding_mode="trunc"), (x * 9).long().div(
            2, rounding_mode="trunc"), torch.atan2(x, x + 0.5), x.isfinite(), ~(x > 0),
        (x.long() & 3) | (x.long() ^ 1), (x > 0).cumsum(1), x.any(0), x.all((0, 1)),
        torch.isin(AT, AT[:1]), torch.isin(x, x[0], invert=True), torch.logical_xor(x, x * 0),
        torch.logical_not(x), torch.logical_and(x, x > 1),
        x.clamp(min=torch.zeros(4)), x.half() * 2, x.long() + 0.5,
        torch.linspace(0, 1, 4) * x, x + torch.eye(3, 4), (x > 0) & (x < 1) | (x == 2)),
    "runs": lambda x: (
        x.cumprod(1), *x.cummax(1), *x.round().cummin(0), (x * 9).int().cummax(1)[0],
        *torch.linalg.slogdet(x[:, :3]), torch.searchsorted(torch.arange(4.0), x),
        torch.searchsorted(x.sort(1)[0], x + 0.1, right=True), torch.bucketize(x, AT.sort()[0]),
        (x * 9).long() << 2, (x * 9).int() >> 1, (x * 99).long() >> 63, x.put(AT, x[0, :3]),
        x.scatter(1, AT[:, None], x), x.scatter_reduce(0, AT[:2, None], x, "amax")),
    "sizes that depend on data": lambda x: (
        x[x > 0], x[:, x[0] > 0], x[x[:, 0] > -0.5].sum(0), x.masked_select(x < 0).mean(),
        torch.stack([x, x + 1])[..., x > 0], x.nonzero(), torch.nonzero(x > 0, as_tuple=True),
        torch.argwhere(x > 0), torch.unique(x.round()), x.sort(0)[0][torch.where(x[:, 0] > 0)],
        torch.unique(x.round() * 0, dim=0, return_counts=True)[1],
        x.index_put((x[:, 0] > 0,), x[0], accumulate=True)),
    "spectra": lambda x: [
        torch.fft.rfft(x).abs(), torch.fft.fft(x, n=7, norm="ortho").real, torch.fft.ifft2(x).imag,
        torch.view_as_real(torch.fft.rfft2(x, norm="forward")), torch.fft.fft(x[0]).exp().real,
        torch.fft.irfft2(torch.fft.rfft2(x)), torch.fft.irfft(torch.fft.fft(x), n=5, norm="ortho"),
        torch.fft.hfft(torch.fft.ihfft(x), 4), torch.fft.fft(x + 1).angle(), torch.fft.irfft(x),
        torch.view_as_real(torch.stft(x[None, 0].repeat(1, 8), 8, 2, window=torch.hann_window(8),
                                      return_complex=True)),
        torch.view_as_real(torch.view_as_complex(x.reshape(3, 2, 2)) * TURNS),
        *[torch.view_as_real(y) for z in [torch.fft.fft(x)] for y in (
            z * z.conj(), z / (z + 20), z + 1j, 2 - z, z / 2, z * (1 + 2j), -z, z @ z.T, z[1:, ::2],
            z.reshape(-1), torch.cat([z, z]), torch.stack([z, z * x]), z.sum(1), z.roll(1, 0))]],
    "losses": lambda x: (
        F.mse_loss(x, x * 2), F.nll_loss(x, AT), F.cross_entropy(x, AT, ignore_index=1),
        F.huber_loss(x, x * 3)),
    "images": lambda x: [
        F.pad(x, (1, 2)), F.pad(x, (-1, 2)), F.pad(x, (1, 2), value=2.0),
        *[F.pad(x[None, None], (1, 1, 2, 1), mode=m) for m in ("reflect", "circular", "replicate")],
        *[F.interpolate(x[None, None], size=(5, 7), mode=m) for m in ("nearest", "bilinear")],
        F.fold(F.unfold(x[None, None], 2, padding=1), (3, 4), 2, padding=1),
        F.avg_pool2d(x[None], 2, padding=1, count_include_pad=False),
        F.avg_pool2d(x[None], 2, ceil_mode=True), F.adaptive_avg_pool2d(x[None], (2, 3)),
        F.instance_norm(x[None, None]), F.conv3d(x[None, None, None], torch.ones(2, 1, 1, 2, 2)),
        F.conv_transpose2d(x[None], torch.ones(1, 2, 2, 3), stride=2, padding=1, output_padding=1)],
}  # fmt: skip


def flat(x):
    if isinstance(x, dict):
        return flat([*x.values()])
    return [t for part in x for t in flat(part)] if isinstance(x, (tuple, list)) else [x]


@pytest.mark.parametrize("name", MANY)
def test_what_else_has_a_form(tmp_path, name):
    path, x = tmp_path / "f.onnx", torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    torch.onnx.export(MANY[name], x, path)
    wanted = flat(MANY[name](x.clone()))
    for got in (run(path, x), flat(torch.onnx.load(path)(x))):
        for i, (g, want) in enumerate(zip(got, wanted, strict=True)):
            g = g if isinstance(g, np.ndarray) else g.detach().numpy()
            assert g.dtype == want.numpy().dtype, i
            np.testing.assert_allclose(g, want.numpy(), rtol=1e-4, atol=1e-5, err_msg=str(i))


@pytest.mark.parametrize(("f", "why"), [
    (lambda x: x[x > 0].std(), "elements there are depends on data(.|\n)*its numbers are others"),
    (lambda x: x[x * 0 == 0], "none of a few other inputs"),
    (lambda x: x[x[:, 0] > 0, 1], "for a mask among other indices"),
    (lambda x: F.one_hot(x.argmax(1)), r"a shape, at test_onnx.py:\d+, depends on the numbers"),
    (lambda x: x.repeat_interleave(x[:, 0].long(), 0), "a shape, at .*depends on the numbers"),
    (lambda x: torch.poisson(x.abs()), r"poisson, at .*\n(.|\n)*give the random numbers"),
    (lambda x: torch.unique_consecutive(x), "test_onnx.py"),
    (lambda x: torch.fft.fft(x), "'output_0' is complex(.|\n)*view_as_real"),
    (lambda x: torch.fft.fft(x).sin().real, "sin, at test_onnx.py.* no ONNX form of complex"),
    (lambda x: torch.fft.fft(x).mul_(2).real, "at test_onnx.py.* no ONNX form of complex"),
])  # fmt: skip
def test_what_has_no_form_or_one_for_the_example_only_is_refused(tmp_path, f, why):
    with pytest.raises(RuntimeError, match=why):
        torch.onnx.export(f, torch.tensor([[1.0, -2], [2, 0.5]]), tmp_path / "f.onnx")


@pytest.mark.parametrize(("draw", "mean", "spread"), [
    (lambda x: x + torch.randn(x.shape), 0.5, 1), (lambda x: x.normal_(2, 3), 2, 3),
    (lambda x: torch.normal(x, 2.0), 0.5, 2), (lambda x: torch.rand_like(x), 0.5, 12**-0.5),
    (lambda x: x.uniform_(1, 3), 2, 2 * 12**-0.5), (lambda x: torch.bernoulli(x * 0.4), 0.2, 0.4),
    (lambda x: F.dropout(x, 0.2), 0.5, 0.25), (lambda x: x.exponential_(2), 0.5, 0.5),
    (lambda x: x.geometric_(0.5), 2, 2**0.5), (lambda x: x.log_normal_(0, 0.1), 1.005, 0.1),
    (lambda x: torch.randint(2, 6, x.shape), 3.5, 1.25**0.5),
    (lambda x: torch.randperm(4000).float() / 4000, 0.5, 12**-0.5),
    (lambda x: torch.multinomial(x[:3] * AT, 4000, True), 0.667, 0.943),
    (lambda x: torch.multinomial(x, 400), 1999.5, 4000 * 12**-0.5),
    (lambda x: F.rrelu(-x, 0.25, 0.75, training=True), -0.25, 0.5 * 0.5 * 12**-0.5),
    (lambda x: x.cauchy_().atan(), 0, 3.1416 * 12**-0.5),
])  # fmt: skip
def test_random_numbers(tmp_path, draw, mean, spread):
    """The distribution is kept; nothing is a constant."""
    path, x = tmp_path / "f.onnx", torch.full((4000,), 0.5)
    torch.onnx.export(lambda x: draw(x.clone()), x, path)
    loaded = torch.onnx.load(path)
    assert not torch.equal(loaded(x), loaded(x))
    for y in (run(path, x)[0], loaded(x).detach().numpy()):
        assert y.dtype == draw(x.clone()).numpy().dtype
        width = spread * 6 / y.size**0.5
        assert abs(y.mean() - mean) < width and abs(y.std() - spread) < 3 * width
    torch.onnx.export(lambda x: x + torch.randn(x.shape), x, path, input_names=["x"],
                      dynamic_axes={"x": [0]})  # fmt: skip
    assert run(path, x[:7])[0].shape == (7,)


def test_a_large_recurrent_layer(tmp_path):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(16, 32, bidirectional=True)

        def forward(self, x):
            return self.rnn(x)[0][-1]

    path, model, x = tmp_path / "m.onnx", Last(), torch.randn(3, 16, 16)
    torch.onnx.export(model, x, path)
    np.testing.assert_allclose(run(path, x)[0], model(x).detach().numpy(), atol=1e-5)


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
        ({"dynamic_axes": {"input_0": [2]}}, r"'input_0' are \[2\], but it has 2 dimensions"),
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
    """Small public models, of which the package knows what they give; they train, too."""
    base = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    done = trained = 0
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
            model = torch.onnx.load(os.path.join(folder, "model.onnx"))
            got = model(*given)
            got = got if isinstance(got, tuple) else (got,)
            wanted = [a for n, a in arrays.items() if n.startswith("output")]
            for g, w in zip(got, wanted, strict=True):
                np.testing.assert_allclose(g.detach().numpy(), w, rtol=1e-3, atol=1e-5,
                                           err_msg=name)  # fmt: skip
            done += 1
            weights = [*model.parameters()]
            if weights:
                optimizer = torch.optim.SGD(weights, lr=1e-4)
                losses = []
                for _ in range(3):
                    optimizer.zero_grad()
                    out = model(*given)
                    loss = (out[0] if isinstance(out, tuple) else out).square().mean()
                    loss.backward()
                    assert all(w.grad is not None for w in weights), name
                    optimizer.step()
                    losses.append(loss.item())
                assert losses[2] < losses[0], name
                trained += 1
    assert done > 90 and trained > 40


def test_a_condition_that_the_library_asks_is_not_part_of_a_model(tmp_path):
    class Loss(nn.Module):
        def forward(self, x, y):
            h = x.sigmoid().clone()
            h[0] = 0.5
            return nn.functional.binary_cross_entropy(h, y)

    given = torch.randn(4, 3), torch.rand(4, 3)
    torch.onnx.export(Loss(), given, tmp_path / "loss.onnx")
    again = torch.onnx.load(tmp_path / "loss.onnx")
    assert torch.allclose(again(*given), Loss()(*given))


class Causal(nn.Module):
    """Positions, a mask, sizes that are products of others: all of them follow the input's."""

    def __init__(self):
        super().__init__()
        self.rows, self.places = nn.Embedding(7, 8), nn.Embedding(9, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.rnn = nn.GRU(8, 3, batch_first=True)

    def forward(self, x):
        h = self.rows(x) + self.places(torch.arange(x.size(1)))
        mask = nn.Transformer.generate_square_subsequent_mask(x.size(1))
        h = self.block(h, src_mask=mask, is_causal=True)
        return F.scaled_dot_product_attention(h, h, h, is_causal=True)


def test_sizes_that_may_differ_follow_the_inputs(tmp_path):
    net, path = Causal().eval(), tmp_path / "model.onnx"
    x = torch.tensor([[1, 2, 3], [4, 5, 6]])
    torch.onnx.export(net, x, path, input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "n", 1: "t"}, "y": {0: "n", 1: "t"}})  # fmt: skip
    loaded = torch.onnx.load(path)
    for shape in ((1, 5), (4, 2)):
        other = torch.arange(shape[0] * shape[1]).reshape(shape) % 7
        want = net(other).detach().numpy()
        np.testing.assert_allclose(run(path, other)[0], want, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(loaded(other).detach().numpy(), want, rtol=1e-3, atol=1e-4)
    wide = lambda x: net.rnn(net.rows(x))[0]  # noqa: E731 - whose state has the batch's size
    torch.onnx.export(wide, x, path, input_names=["x"], dynamic_axes={"x": [0]})
    more = torch.tensor([[1, 2, 3]] * 5)
    np.testing.assert_allclose(run(path, more)[0], wide(more).detach().numpy(), atol=1e-5)
    nested = lambda x: {"h": net.rnn(net.rows(x)), "x": [x]}  # noqa: E731
    torch.onnx.export(nested, x, path, input_names=["x"], dynamic_axes={"x": [0]})
    assert [len(y) for y in run(path, more)[-2:]] == [1, 5]
    with pytest.raises(RuntimeError, match="other sizes of the dynamic axes"):
        torch.onnx.export(wide, x, path, input_names=["x"], dynamic_axes={"x": [1]})


@pytest.mark.parametrize(("mode", "corners", "scale"), [
    ("nearest", None, (2, 1.5)), ("nearest-exact", None, (0.5, 3)), ("bilinear", False, (2, 1.5)),
    ("bilinear", True, (2, 2)), ("bicubic", False, (1.5, 3)), ("bicubic", True, (3, 2)),
])  # fmt: skip
def test_images_of_any_size_become_larger(tmp_path, mode, corners, scale):
    path = tmp_path / "model.onnx"
    f = lambda x: F.interpolate(x, None, scale, mode, corners)  # noqa: E731
    torch.onnx.export(f, torch.randn(1, 2, 4, 6), path, input_names=["x"],
                      dynamic_axes={"x": {0: "n", 2: "h", 3: "w"}})  # fmt: skip
    x = torch.randn(3, 2, 6, 10)
    for got in (run(path, x)[0], torch.onnx.load(path)(x).numpy()):
        np.testing.assert_allclose(got, f(x).numpy(), rtol=1e-4, atol=1e-4)


def test_images_of_a_given_size(tmp_path):
    """By a factor that no float32 is: 6 times 4/3 as such would be 7.99."""
    path, x = tmp_path / "model.onnx", torch.randn(2, 2, 4, 6)
    torch.onnx.export(lambda x: F.interpolate(x, (8, 8)), x, path, input_names=["x"],
                      dynamic_axes={"x": [0]})  # fmt: skip
    for got in (run(path, x)[0], torch.onnx.load(path)(x).numpy()):
        np.testing.assert_array_equal(got, F.interpolate(x, (8, 8)).numpy())


class Statistics(nn.Module):
    """Parameters, one of them a number, and what is none: statistics, a frozen one, constants."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
        self.gain = nn.Parameter(torch.ones(()))
        self.frozen = nn.Parameter(torch.ones(2, 1, 1), requires_grad=False)
        self.register_buffer("mean", torch.ones(2, 1, 1))

    def forward(self, x):
        x = (self.norm(self.conv(x)) - self.mean) * self.gain * self.frozen
        return F.interpolate(x, scale_factor=2, mode="bilinear")


def test_what_is_no_parameter_is_none_when_it_is_loaded(tmp_path):
    path, net, x = tmp_path / "model.onnx", Statistics(), torch.randn(1, 1, 6, 6)
    torch.onnx.export(net, x, path)
    loaded, trained = torch.onnx.load(path), [n for n, p in net.named_parameters()
                                              if p.requires_grad]  # fmt: skip
    found = {n for n, _ in loaded.named_parameters()}
    assert found == {n.replace(".", "_") for n in trained}
    model = onnx.load(path)  # another's file says nothing
    model.producer_name = "pytorch"
    for tensor in model.graph.initializer:
        tensor.doc_string = ""
    onnx.save(model, path)
    found = {n for n, _ in torch.onnx.load(path).named_parameters()}
    assert found == {"conv_weight", "conv_bias", "norm_weight", "norm_bias", "mean", "frozen"}
