"""Exported programs whose steps take or put elements at places, contract letters, count integers.
Each test builds one program of many ops; test_export_ops.py says how."""

import subprocess
import warnings

import numpy as np
import pytest
from test_export_ops import exported

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

pytestmark = pytest.mark.usefixtures("compiler")


def descent(folder, f, *given):
    """A step that makes f(its parameter, ...) smaller, forward and backward in C."""
    torch.manual_seed(1)
    p = torch.randn(2, 3, 4, 4, requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=0.001)

    def step(*given):
        loss = sum((x * x * 0.1).sum() for x in f(p, *given))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    got = exported(folder, step, *given, steps=3)
    assert got[0] > got[-1]


def test_borders_sizes_and_windows(tmp_path):
    def f(p):
        padded = [F.pad(p, (1, 2, 0, 1), mode=m) for m in ("reflect", "replicate", "circular")]
        sized = [F.interpolate(p, scale_factor=2, mode=m) for m in ("bilinear", "nearest")]
        windows = F.unfold(p, 2, padding=1), F.fold(p.reshape(2, 12, 4), (3, 3), 2)
        more = p.unfold(3, 3, 1), p.tril(), p.mT.triu(1), F.pad(p, (1, -1), value=0.5)
        pooled = F.adaptive_max_pool2d(p, 3), F.max_pool3d(p, 2, 1)
        return [*padded, *sized, *windows, *more, *pooled, F.interpolate(p, size=(3, 5))]

    descent(tmp_path, f)


def test_indices(tmp_path):
    """From both ends, beside slices, apart; of what sort, topk and max find; written and added."""

    def f(p, i, j):
        q = p[0, 0]
        base = torch.zeros(4, 4)
        read = [q[i], p[:, i - 3], p[i - 2, :, i], p[:, i[:, None], j[None], 1:], q[j, 2], q.T[i]]
        found = [q.gather(1, j.expand(4, 3)), q.sort(0)[0][:2], q.topk(2, 1)[0], p.max(1)[0],
                 q.sort(1, descending=True)[0][:, 0], q.gather(0, q.argsort(0)) * q,
                 q.gather(1, q.topk(2, 1)[1])]  # fmt: skip
        put = [base.scatter(0, i[None] * 0 + j[0], q[:1, :3]), base.index_add(0, i, q[:3]),
               base.index_put((i,), q[:3], accumulate=True), base.index_copy(0, j, q[:3]),
               base.scatter_add(1, j.expand(4, 3), q[:, :3])]  # fmt: skip
        return [*read, *found, *put, q.cumsum(0), q.cumsum(1), q.prod(1), p.prod(2)[0]]

    descent(tmp_path, f, torch.tensor([2, 0, 2]), torch.tensor([3, 1, 0]))


def test_an_index_that_is_out_of_range_stops_the_program(tmp_path):
    table = torch.arange(12.0).reshape(4, 3).requires_grad_()

    def step(i):
        with torch.no_grad():
            table.mul_(0.5)
        return table[i].sum()

    exported(tmp_path, step, torch.tensor([1, -4]))
    bad = (tmp_path / "input.bin").read_bytes()[:-8] + (4).to_bytes(8, "little")
    (tmp_path / "bad.bin").write_bytes(bad)
    failed = subprocess.run(["./model", "bad.bin"], cwd=tmp_path, capture_output=True, text=True)
    assert failed.returncode == 1 and "out of range" in failed.stderr and not failed.stdout


def test_weights_of_classes_and_tables_of_embeddings(tmp_path):
    torch.manual_seed(0)
    share = torch.tensor([1.0, 2.0, 0.5])
    tables = [nn.Embedding(5, 3, padding_idx=1), nn.Embedding(5, 3, max_norm=1.0),
              nn.Embedding(5, 3, scale_grad_by_freq=True), nn.EmbeddingBag(5, 3, mode="max")]
    optimizer = torch.optim.Adam([t.weight for t in tables], lr=0.01, amsgrad=True)  # fmt: skip
    other = torch.optim.Adadelta([p := torch.randn(4, 3, requires_grad=True)], lr=0.5)

    def step(rows, y):
        x = p + sum(t(rows).reshape(-1, 3)[:4] for t in tables[:3]) + tables[3](rows).mean(0)
        loss = F.cross_entropy(x, y, weight=share, label_smoothing=0.1)
        loss = loss + F.nll_loss(x.log_softmax(1), y, share, ignore_index=2, reduction="sum")
        loss = loss + F.cross_entropy(x.T[None], y[None], weight=share)
        loss = loss + F.multi_margin_loss(x, y)
        for o in (optimizer, other):
            o.zero_grad()
        loss.backward()
        for o in (optimizer, other):
            o.step()
        return loss

    got = exported(tmp_path, step, torch.tensor([[1, 2, 3], [0, 1, 1]]), torch.tensor([0, 2, 1, 0]))
    assert got[-1] < got[0]


def test_convolutions_of_all_kinds(tmp_path):
    torch.manual_seed(0)
    nets = nn.ModuleList([
        nn.Conv2d(4, 6, 3, groups=2, stride=2, padding=1), nn.Conv3d(4, 2, (2, 3, 1), padding=1),
        nn.ConvTranspose2d(4, 2, 3, groups=2, stride=2, output_padding=1),
        nn.ConvTranspose3d(4, 2, 2, stride=(1, 2, 1), bias=True), nn.Conv1d(4, 4, 3, groups=4),
        nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular"),
    ])  # fmt: skip
    image = torch.randn(1, 4, 5, 4, requires_grad=True)
    volume = torch.randn(1, 4, 2, 3, 4, requires_grad=True)
    optimizer = torch.optim.SGD([*nets.parameters(), image, volume], lr=0.01)

    def step():
        a, b, c, d, e, f = nets
        made = a(image), b(volume), c(image), d(volume), e(image[:, :, 0]), f(image)
        loss = sum(x.square().mean() for x in made)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    got = exported(tmp_path, step)
    assert got[-1] < got[0]


def test_products_over_letters_and_with_vectors(tmp_path):
    def f(p, v, m):
        q = p[0]
        made = [torch.einsum("bij,kj->bik", q, m), torch.einsum("bhij,bhkj->bhik", p, p),
                torch.einsum("bij,j,i->b", q, v, v), torch.einsum("ij->", q[0]), q @ v, v @ q[0],
                v @ q[0, 0], v @ q, q[:, None] @ m[None, :, :, None], p[:, :1] @ p]  # fmt: skip
        return made

    descent(tmp_path, f, torch.randn(4), torch.randn(2, 4))


def test_integers_truths_and_a_scaler(tmp_path):
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)

    def step(x, n):
        y = net(x)
        loss = y.square().mean()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        kept = torch.where(n > 1, n, 0).sum(), n.sum(0), (x * 3).long().reshape(-1)
        truths = (x > 0).sum(1), (x > 0).all(1), (x > 2).any(), n.reshape(3, 1).bool()
        made = (x * torch.inf).abs().nan_to_num(2.0), torch.linspace(0, 1, 3) + x[0]
        return [loss, *kept, *truths, *made, x.count_nonzero(), (x == x.round())[0]]

    x = torch.tensor([[1.5, -1.0, 0.0], [2.0, 3.0, 0.5]])
    with np.errstate(invalid="ignore"):
        exported(tmp_path, step, x, torch.tensor([3, 0, 2]), steps=3)
    assert scaler.get_scale() == 16.0  # after the three calls that make the program


def test_whole_numbers_of_few_bits(tmp_path):
    """Images of bytes, and counts."""

    def f(image, n):
        kinds = image.bool().float().sum(), image.long().sum(1), (n * 1000).to(torch.int16)
        n = n.clone().add_(n)
        return (image.float() / 255) @ torch.ones(3, 2), n * n - 1, n.sum(), image > 3, *kinds

    image = torch.tensor([[0, 255, 7], [3, 4, 128]], dtype=torch.uint8)
    exported(tmp_path, f, image, torch.tensor([70, -3], dtype=torch.int32))


def whole_numbers(n):
    signs = n % 3, n % -3, -n, n.abs(), n.sign(), n.square(), n.clamp(0, 3), torch.relu(n)
    order = n.flip(0), n.roll(1), torch.cat([n, n[1:]]), torch.stack([n, n]), n.repeat(2)
    two = torch.maximum(n, n.flip(0)), torch.minimum(n, n.roll(1)), torch.where(n > 0, n, 2)
    return *signs, *order, *two, (n > 0).flip(0), n == n.flip(0), n.clamp(min=2)


def test_whole_numbers_by_formulas(tmp_path):
    exported(tmp_path, whole_numbers, torch.tensor([-5, 3, 0, 7, -2, 1]))


@pytest.mark.parametrize("name", ["int64", "int32", "int16", "int8", "uint8"])
def test_whole_numbers_of_each_kind_are_those_of_the_kernels(name):
    n = torch.tensor([251, 3, 0, 127, 254, 1]).to(getattr(torch, name))
    f = torch.compile(whole_numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for _ in range(4):
            found = f(n)
    assert not f.entry.whole.unwritten
    for a, b in zip(found, whole_numbers(n), strict=True):
        assert a.dtype == b.dtype and torch.equal(a, b)


def test_what_is_not_exported_makes_no_tables():
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    f = torch.compile(lambda: F.pad(x, (1, 1, 1, 1), mode="reflect").sum(), backend="eager")
    for _ in range(3):
        f()
    assert sum(a.size for a in f.graph.constants.values()) < 40


def bits(n):
    two = n & n.flip(0), n | 5, n ^ n.roll(1), ~n, n << 2, n >> 1, n >> n.abs(), torch.gcd(n, n * 2)
    return *two, n**3, 2 ** n.abs(), n ** (n & 3), 3 << (n & 1)


def test_bits_and_powers_of_whole_numbers(tmp_path):
    exported(tmp_path, bits, torch.tensor([-5, 3, 0, 7, -2, 1]))


@pytest.mark.parametrize("name", ["int32", "int16", "int8", "uint8"])
def test_bits_of_each_kind_are_those_of_the_kernels(name, tmp_path):
    exported(tmp_path, bits, torch.tensor([251, 3, 0, 127, 254, 1]).to(getattr(torch, name)))


def ranked(x, n, sorted_x):
    whole = torch.quantile(x, 0.3), torch.nanquantile(x, 0.6, dim=0), x.median(), x.nanmedian()
    places = [*x.mode(1), *x.median(1), *x.nanmedian(0), *x.cummax(0), *x.cummin(1), n.argmin(0)]
    of_integers = [*n.mode(1), *n.max(1), *n.min(0), *n.sort(1), *n.cummax(1), *n.cummin(0)]
    found = [torch.searchsorted(sorted_x, x, right=r) for r in (False, True)]
    rows = torch.searchsorted(n.sort(1)[0], n), torch.bucketize(n, torch.arange(3))
    return *whole, *places, *of_integers, *found, *rows


def test_what_the_order_says(tmp_path):
    torch.manual_seed(0)
    x, n = torch.randn(4, 5), torch.randint(0, 4, (4, 5))
    x[1, 2] = x[3, 0] = torch.nan
    with np.errstate(invalid="ignore"):
        exported(tmp_path, ranked, x, n, torch.tensor([-1, 0, 0.5, 1]))


def test_pooling_that_says_its_places(tmp_path):
    def f(x):
        images = F.max_pool2d(x, 2, return_indices=True)
        padded = F.max_pool2d(x, 3, 2, 1, return_indices=True)
        wide = F.max_pool2d(x, 2, dilation=2, return_indices=True)
        rows = F.max_pool1d(x[0], 2, return_indices=True)
        return *images, *padded, *wide, *rows, F.max_unpool2d(*images, 2, output_size=(6, 5))

    torch.manual_seed(0)
    x = torch.randn(2, 2, 6, 5).round()
    x[0, 0, 1, 1] = torch.nan
    exported(tmp_path, f, x)
