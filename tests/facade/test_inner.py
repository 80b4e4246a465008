"""Functions that PyTorch keeps inside, and that are found under their names."""
import pytest

import microtorch as torch
from microtorch.facade import inner
from microtorch.facade.namespace import INNER


def test_they_are_found_and_not_listed():
    assert [*INNER] == inner.__all__
    assert not {*INNER} & {*dir(torch)}


def test_chunk_cat_fills_up_and_joins():
    a, b = torch.arange(3.0), torch.arange(4.0).reshape(2, 2)
    found = torch._chunk_cat([a, b], 0, 2)
    assert torch.equal(found, torch.tensor([[0.0, 1, 0, 1], [2, 0, 2, 3]]))
    for tensors, dim, chunks in (
        ([a, b], -1, 2), ([a, b], 1, 2), ([b, b[:1]], 1, 2), ([a], 0, 0), ([], 0, 1),
        ([a[:0]], 0, 1),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="_chunk_cat expects"):
            torch._chunk_cat(tensors, dim, chunks)


def test_masked_indices_outside_are_not_looked_at():
    x = torch.arange(4.0, requires_grad=True)
    mask, places = torch.tensor([True, False, True]), torch.tensor([1, 99, 1])
    found = torch._unsafe_masked_index(x, mask, [places], -1.0)
    assert found.tolist() == [1, -1, 1]
    found.sum().backward()
    assert x.grad.tolist() == [0, 2, 0, 0]
    added = torch._unsafe_masked_index_put_accumulate(x, mask, [places], torch.ones(3))
    assert added.tolist() == [0, 3, 2, 3]


def test_batch_norm_with_and_without_running_statistics():
    x, mean, var = torch.randn(8, 3), torch.zeros(3), torch.ones(3)
    with_them = torch._native_batch_norm_legit(x, None, None, mean, var, True, 0.1, 1e-5)
    without = torch._native_batch_norm_legit(x, None, None, True, 0.1, 1e-5)
    assert all(torch.equal(a, b) for a, b in zip(with_them, without, strict=True))
    assert mean.any()
