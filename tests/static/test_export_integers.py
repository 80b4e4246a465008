"""Integers of all sizes, and truths, in exported C: moved, put in order, put at places."""

import pytest
from test_export_ops import exported

import microtorch as torch
from microtorch.nn import functional as F

pytestmark = pytest.mark.usefixtures("compiler")
WHOLE = torch.tensor([[3, 1, 2], [0, 5, 4]])
GIVEN = WHOLE, WHOLE > 2, torch.tensor([1, 0]), WHOLE.int(), WHOLE.to(torch.uint8)


def copies(results):
    return [x.clone() if x.dtype is torch.bool else x * 1 for x in results]


def test_elements_that_an_index_names(tmp_path):
    def f(i, b, k, short, byte):
        put = short.clone()
        put[k, k] += 1
        mod = i % 3
        return copies([
            i[k], i[:, k], b[k], short[k], byte[:, k], i.gather(1, mod), b.gather(1, mod),
            torch.take_along_dim(i, mod, 1), i.scatter(1, mod, 7), i.scatter_add(1, mod, i),
            short.scatter(1, mod, short), short.index_add(1, k, short[:, :2]),
            i.index_copy(1, k, i[:, :2]), i.masked_fill(b, 9), torch.where(b, i, i * 2), put,
            torch.where(b, short, short), i.repeat_interleave(2, 0),
        ])  # fmt: skip

    exported(tmp_path, f, *GIVEN, steps=1)


def test_elements_that_move(tmp_path):
    def f(i, b, k, short, byte):
        return copies([
            i.tril(), b.triu(), short.tril(1), i.flip(1), b.flip(0), i.roll(1, 1), byte.roll(1, 0),
            i.unfold(1, 2, 1), F.pad(i[None], (1, 1), mode="reflect"), F.pad(b, (1, 1)), b.clone(),
            torch.stack([b, b]), torch.cat([b, b]), b.repeat(2, 1), i.diag_embed(), i.diagonal(),
        ])  # fmt: skip

    exported(tmp_path, f, *GIVEN, steps=1)


def test_the_order_of_integers_and_what_is_computed_of_them(tmp_path):
    def f(i, b, k, short, byte):
        return copies([
            short.sort(1).values, b.sort(1).values, b.int().sort(1).indices, i.max(1).values,
            i.min(0).indices, short.max(1).values, short.amax(), short.max(), byte.min(),
            i.cummax(1).values, b.cummax(1).values, i.topk(2).values, i.median(1).values,
            i.mode(1).values, i.kthvalue(2, 1).values, torch.logical_not(i), short // 2, short % 2,
            torch.logical_and(short, byte.int()), b.to(torch.int8), short @ short.T,
            torch.bincount(short.reshape(-1)), i.cumsum(1), short.cumsum(1), b.sum(), b.any(1),
            b.all(0), i.prod(1), short.prod(),
        ])  # fmt: skip

    exported(tmp_path, f, *GIVEN, steps=1)
