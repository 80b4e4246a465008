"""float16: stored in half, computed in float32, rounded once an op."""

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends import Reference
from microtorch.backends.half import narrow, widen

F = torch.nn.functional
X = torch.tensor([20000.0, 30000.0, 25000.0, 300.0]).half()


F32 = Reference.by_dtype[np.dtype(np.float32)]
CONVERTERS = {
    "numpy": (lambda x: widen(F32, x), lambda x, d: narrow(F32, x, d)),
    "backend": (
        lambda x: F32.widen(x),
        lambda x, d: F32.narrow(x, d),
    ),
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("way", CONVERTERS)
def test_conversions_are_numpys(dtype, way):
    to_wide, to_short = CONVERTERS[way]
    dtype = dtype.numpy
    rng = np.random.default_rng(0)
    edges = [0, -0.0, np.inf, -np.inf, np.nan, 65504, 65519.9, 65520, 6.1e-5, 5.9e-8, 2.9e-8, 3e-8,
             3.4e38, 3.39e38, 1e-40, 9.2e-41]  # fmt: skip
    floats = rng.integers(0, 2**32, 100_000, np.uint32).view(np.float32)
    floats = np.concatenate((floats, np.array(edges, np.float32)))
    with np.errstate(all="ignore"):
        expected = floats.astype(dtype)
    np.testing.assert_array_equal(to_short(floats, dtype).astype("f4"), expected.astype("f4"))
    every = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    np.testing.assert_array_equal(to_wide(every), every.astype(np.float32))
    np.testing.assert_array_equal(to_short(to_wide(every), dtype).astype("f4"), every.astype("f4"))
    for part in (every[::2], every[:100], every.reshape(256, 256).T, every[:0], every[5]):
        part = np.asarray(part)
        np.testing.assert_array_equal(to_wide(part), part.astype(np.float32))
        back = to_short(part.astype(np.float32), dtype)
        assert back.dtype == dtype and back.shape == part.shape


@pytest.mark.filterwarnings("ignore:overflow")  # of the variance, which half does not hold
@pytest.mark.parametrize(
    "out, expected",
    [
        (lambda: torch.ones(70000).half().mean(), 1.0),
        (lambda: torch.ones(5000).half().cumsum(0)[-1], 5000.0),
        (lambda: X.std(), 1.301e4),
        (lambda: X.norm(), 4.387e4),
        (lambda: torch.var_mean(X)[1], 1.882e4),
        (lambda: F.layer_norm(X, (4,)), [0.1045, 0.9922, 0.5479, -1.645]),
        (lambda: F.rms_norm(X, (4,)), [0.9116, 1.367, 1.14, 0.01368]),
        (lambda: F.group_norm(X.reshape(1, 4), 2)[0], [-1.0, 1.0, 1.0, -1.0]),
        (lambda: F.normalize(X, dim=0), [0.4558, 0.6836, 0.5698, 0.00684]),
        (lambda: F.l1_loss(X, -X), 3.763e4),
        (lambda: torch.full((3,), 1e-4).half().norm(), 1.732e-4),
    ],
)
def test_what_adds_up_does_so_in_float32(out, expected):
    t = out()
    assert t.dtype is torch.float16
    np.testing.assert_allclose(t.numpy().astype(float), expected, rtol=2e-3)


OPS = {
    "matmul": lambda a, b: a @ b,
    "softmax": lambda a, b: (a * b).softmax(1),
    "conv2d": lambda a, b: F.conv2d(a.reshape(1, 1, 6, 6), b[:3, :3].reshape(1, 1, 3, 3)),
    "cross_entropy": lambda a, b: F.cross_entropy(a + b, torch.arange(6)),
    "views": lambda a, b: a.t()[1:].reshape(-1) * b.reshape(-1)[:30],
    "pow": lambda a, b: (a * a + 1) ** 1.5 / (b * b + 1),
}


@pytest.mark.parametrize("f", OPS.values(), ids=list(OPS))
def test_values_and_gradients_are_those_of_float32_rounded(f):
    rng = np.random.default_rng(1)
    halves = [torch.tensor(rng.standard_normal((6, 6)).astype("float16")) for _ in range(2)]
    results = []
    for dtype in (torch.float16, torch.float32):
        a, b = (x.detach().to(dtype).requires_grad_() for x in halves)
        y = f(a, b)
        y.float().sum().backward()
        assert y.dtype is a.grad.dtype is b.grad.dtype is dtype
        results.append([t.detach().float().numpy() for t in (y, a.grad, b.grad)])
    for half, exact in zip(*results, strict=True):
        np.testing.assert_allclose(half, exact, rtol=2e-2, atol=2e-2)


def test_a_cast_between_precisions_carries_the_gradient_in_each():
    x = torch.tensor([0.5, 2.0], requires_grad=True)
    (x.half() * 3).float().sum().backward()
    assert x.grad.dtype is torch.float32 and x.grad.tolist() == [3.0, 3.0]


def test_views_of_halves_share_memory():
    x = torch.zeros(2, 3).half()
    x.t()[1] += 1
    assert x.tolist() == [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]


def test_gradients_are_clipped_by_a_norm_that_half_holds():
    p = torch.nn.Parameter(torch.ones(4).half())
    p.grad = torch.full((4,), 300.0).half()
    assert torch.nn.utils.clip_grad_norm_([p], 1.0).item() == 600.0
    assert p.grad.tolist() == [0.5] * 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_conversions_lie_as_what_they_convert(dtype):
    """So do numpy's; the C core converts rows, and what has gaps by way of them."""
    x = torch.arange(6000.0).view(10, 20, 30)
    views = {"permuted": x.permute(2, 0, 1), "gaps": x[..., ::2], "turned": x.flip(1).mT,
             "repeated": x[:, :1].expand(10, 20, 30)}  # fmt: skip
    for name, view in views.items():
        narrow = view.to(dtype)
        assert narrow.dtype == dtype and narrow.tolist() == view.contiguous().to(dtype).tolist()
        assert narrow.float().tolist() == narrow.contiguous().float().tolist(), name
    assert views["permuted"].to(dtype).stride() == views["permuted"].stride()
    assert views["gaps"].to(dtype).is_contiguous()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_what_only_moves_numbers(dtype):
    x = torch.arange(2000.0).view(40, 50).to(dtype).requires_grad_()
    wide = x.detach().float().requires_grad_()
    programs = {
        "cat": lambda x: torch.cat([x, x * 2], 1), "stack": lambda x: torch.stack([x, -x], 2),
        "flip": lambda x: x.flip(0, 1), "roll": lambda x: x.roll(3, 1),
        "clone": lambda x: x.mT.clone(),
        "tril": lambda x: x.tril(1), "triu": lambda x: x.triu(), "index": lambda x: x[3:, ::2],
        "block_diag": lambda x: torch.block_diag(x, x),
    }  # fmt: skip
    for name, program in programs.items():
        x.grad = wide.grad = None
        got, expected = program(x), program(wide)
        assert got.dtype == dtype and got.tolist() == expected.to(dtype).tolist(), name
        got.backward(torch.ones_like(got) * 3)
        expected.backward(torch.ones_like(expected) * 3)
        assert x.grad.dtype == dtype and x.grad.tolist() == wide.grad.to(dtype).tolist(), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_whole_numbers_and_masks_to_and_fro(dtype):
    """By way of float32, whatever the layout."""
    x = (torch.arange(-1500.0, 1500.0) / 7).to(dtype)
    for kind in ("int8", "int16", "int32", "int64", "uint8", "bool"):
        kind = getattr(torch, kind)
        for part in (x, x[:9], x.view(30, 100).t(), x[::3]):
            part = part.abs() if kind is torch.uint8 else part
            whole = part.to(kind)
            assert whole.dtype == kind and torch.equal(whole, part.float().to(kind))
            assert whole.stride() == part.float().stride()
            assert torch.equal(whole.to(dtype), whole.float().to(dtype))
            assert torch.equal(torch.zeros_like(part).copy_(whole), whole.float().to(dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_number_is_rounded_by_way_of_float32(dtype):
    for value in (1, -3.7, 2049, 1.00048828125 + 1e-12, 1e-7, float("nan")):
        expected = torch.tensor(float(value), dtype=torch.float32).to(dtype).item()
        x = torch.zeros(5, dtype=dtype)
        x.fill_(value)
        x[1:3] = value
        x[torch.tensor([False, False, False, True, False])] = value
        assert x._version == 3
        np.testing.assert_array_equal(x.float().numpy(), np.full(5, expected, np.float32))
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.zeros(3, dtype=torch.float16).fill_(1e6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("width", [0, 1, 5, 6])
def test_rows_are_taken_as_they_are(dtype, width):
    """Of an even length as pairs, at any address."""
    x = torch.randn(7 * 4 * width + 1).to(dtype)[1:].view(7, 4, width)
    x[0], x[1] = float("nan"), float("inf")
    wide, i = x.float(), torch.tensor([3, 0, 6, -1, 1])
    for program in (
        lambda x: x[i], lambda x: x[:, [1, 1, 3]], lambda x: x.index_select(0, i % 7),
        lambda x: x.index_select(1, i % 4), lambda x: x[i, i % 4], lambda x: x[i.view(5, 1)],
        lambda x: x.transpose(0, 1)[i % 4], lambda x: F.embedding(i % 7, x[:, 0]),
        lambda x: F.embedding(i % 7, x[:, 0].contiguous()), lambda x: x[1:, 1:][i % 6],
    ):  # fmt: skip
        got, expected = program(x), program(wide)
        assert got.dtype == dtype and got.shape == expected.shape
        np.testing.assert_array_equal(got.float().numpy(), expected.numpy())


def test_places_in_order_are_those_of_float32():
    x = torch.randn(3, 500).half()
    x[0, 100] = float("nan")
    for place in (lambda x: x.cummax(1)[1], lambda x: x.topk(4)[1], lambda x: x.kthvalue(9)[1],
                  lambda x: torch.isin(x, x[:, :7])):
        for dtype in (torch.float16, torch.bfloat16):
            assert torch.equal(place(x.to(dtype)), place(x.to(dtype).float()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_what_moves_numbers_keeps_their_bits(dtype):
    """Of few numbers and of many, in rows and not: NaN with its bits, and the sign of 0."""
    for shape in ((3, 4), (40, 50)):
        bits = np.random.default_rng(0).integers(-(1 << 15), 1 << 15, shape, np.int16)
        x = torch.from_numpy(bits).view(dtype)
        i = torch.arange(bits.size).view(shape).flip(1) % shape[1]
        for x, i in ((x, i), (x.t()[:, ::2], i.t()[:, ::2] % shape[0] % 2)):  # noqa: B020
            whole = x.contiguous().view(torch.int16)
            for program in (
                lambda x, i: x.flip(0, 1), lambda x, i: x.tril(1), lambda x, i: x.triu(),
                lambda x, i: x.gather(1, i), lambda x, i: x.scatter(0, i[:1] * 0, x[1:2]),
                lambda x, i: torch.block_diag(x, x), lambda x, i: F.pad(x, (1, 2)),
                lambda x, i: x[0].diag_embed(), lambda x, i: x.roll(1, 0),
                lambda x, i: torch.cat([x, x], 1),
            ):  # fmt: skip
                found, expected = program(x, i), program(whole, i)
                assert found.dtype == dtype
                assert found.contiguous().view(torch.int16).equal(expected)
            y = x.flip(0)
            signs = y.contiguous().view(torch.int16) & -(1 << 15)
            found = x.copysign(y).contiguous().view(torch.int16)
            assert found.equal((whole & 0x7FFF) | signs)


MOVING = {
    "cat": "torch.cat([x, y.expand(40, 50), x[:3]])", "chunk": "torch.cat(x.chunk(7))",
    "stack": "torch.stack([x, x.flip(1)])", "expand": "x + y.expand(40, 50)",
    "diagonal": "x.diagonal(3)", "triangle": "x.tril(1) - x.triu(2)", "roll": "x.roll(3, 1)",
    "gather": "x.gather(1, i)", "scatter": "x.scatter(1, i, x.flip(0))", "take": "x.take(i * 3)",
    "views": "x.t().reshape(20, 100)[None, 3:, ::2].squeeze().permute(1, 0).t()[2]",
    "index": "x[i[0]]", "index_put": "x.index_put((i[0],), x[:1, :])",
    "index_put sum": "x.index_put((i[0],), y, accumulate=True)",
    "diagonal_scatter": "x.diagonal_scatter(x[:, 0])",
    "slice_scatter": "x.slice_scatter(y, 0, 3, 4)", "repeat": "y.repeat(3, 2) * x[0, 0]",
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", MOVING)
def test_gradients_of_what_moves_numbers(name, dtype):
    """Those of float32, rounded where contributions meet."""
    torch.manual_seed(0)
    i = torch.randint(0, 40, (40, 50))
    x, y = torch.randn(40, 50).to(dtype), torch.randn(1, 50).to(dtype)
    found = []
    for d in (dtype, torch.float32):
        leaves = [t.clone().to(d).requires_grad_() for t in (x, y)]
        out = eval(MOVING[name], {"torch": torch, "x": leaves[0], "y": leaves[1], "i": i})
        weight = torch.linspace(-1, 1, out.numel()).to(dtype).to(d).reshape(out.shape)
        (out * weight).sum().backward()
        found.append([t.grad for t in leaves])
    for half, wide in zip(*found, strict=True):
        assert (half is None) == (wide is None)
        if half is not None:
            assert half.dtype == dtype
            tolerance = 0.004 if dtype == torch.float16 else 0.03
            torch.testing.assert_close(half.float(), wide, rtol=tolerance, atol=tolerance)


def test_a_view_widens_nothing_on_the_way_back(monkeypatch):
    """Ten parts of one tensor would be ten copies of all of it."""
    x = torch.randn(100, 50).half().requires_grad_()
    out = torch.cat(x.chunk(10))
    seen, wide = [], Reference.by_dtype[np.dtype(np.float32)]
    widen = wide.widen
    monkeypatch.setattr(wide, "widen", lambda x: seen.append(x.size) or widen(x))
    out.backward(torch.ones_like(out))
    assert not seen and x.grad.equal(torch.ones(100, 50).half())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("n", [5, 3000])
def test_what_is_one_op_rounds_once(dtype, n):
    x, y, z = (torch.randn(n).to(dtype) for _ in range(3))
    for program in (
        lambda x, y, z: torch.addcmul(x, y, z, value=0.3), torch.addcmul,
        lambda x, y, z: torch.addcdiv(x, y, z, value=-2), torch.lerp,
        lambda x, y, z: torch.lerp(x, y, 0.7), lambda x, y, z: torch.addcmul(x, y[:1], z),
        lambda x, y, z: x.round(), lambda x, y, z: x.round(decimals=-1),
        lambda x, y, z: torch.where(x > 1, y / 0, x).nan_to_num(0.5, 2, -3),
    ):  # fmt: skip
        wide = program(x.float(), y.float(), z.float())
        found = program(x, y, z)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.float().numpy(), wide.to(dtype).float().numpy())
    same = [x, y, z, torch.zeros(n, dtype=dtype)]
    assert torch.addcmul(*same[:3], out=same[3]).equal(torch.addcmul(*same[:3]))
    assert torch.lerp(x.float(), y.float(), 0.3).dtype == torch.float32
    with pytest.raises(RuntimeError):
        torch.lerp(x, y.float(), 0.3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "f", [F.glu, lambda x: x.renorm(2, 0, 1), lambda x: F.upsample(x, 7, mode="linear")]
)
@pytest.mark.filterwarnings("ignore:.*upsample")
def test_what_is_one_kernel_in_pytorch_rounds_once(dtype, f):
    x = torch.randn(2, 3, 40).to(dtype)
    assert f(x).equal(f(x.float()).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("n", [4, 3000])
def test_gradients_that_meet_are_rounded_sums(dtype, n):
    """At a node on the way, at a view of it and at a leaf, each contribution is added in float32
    and rounded.
    """
    x = torch.randn(n).to(dtype).requires_grad_()
    y = x * 1
    (y * 3 + y / 7).sum().backward()
    third = torch.ones(n).to(dtype)
    expected = ((third * 3).float() + (third / 7).float()).to(dtype)
    assert x.grad.equal(expected)
    x.grad = third.clone()
    (x * 3).sum().backward()
    assert x.grad.equal(third * 4)
    w = torch.randn(n, 2).to(dtype).requires_grad_()
    (w[:, 0] * 3 + w[:, 0] / 7 + w[:, 1]).sum().backward()
    assert w.grad[:, 0].equal(expected) and w.grad[:, 1].equal(third)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_statistics_of_16_bits(dtype):
    x = torch.randn(6, 4, 30).to(dtype)
    wide = torch.nn.functional.batch_norm(x.float(), None, None, training=True)
    found = torch.nn.functional.batch_norm(x, None, None, training=True)
    torch.testing.assert_close(found.float(), wide, rtol=0.03, atol=0.03)
    still = torch.nn.functional.batch_norm(x[:1, :, :1] + x * 0, None, None, training=True)
    assert still.isfinite().all()
    m = torch.randn(70, 80).to(dtype)
    assert m.trace().dtype == dtype
    torch.testing.assert_close(m.trace().float(), m.float().trace(), rtol=0.01, atol=0.01)
    m[3, 5] = float("nan")
    assert m.argmax(1).equal(m.float().argmax(1)) and m.max(0)[1].equal(m.float().max(0)[1])
    coins = torch.bernoulli(torch.tensor([0.0, 1.0] * 500).to(dtype))
    assert coins.dtype == dtype and coins.tolist() == [0.0, 1.0] * 500
