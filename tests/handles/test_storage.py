"""x.storage(): the memory below tensors and their views."""
from __future__ import annotations

import sys

import numpy as np
import pytest

import microtorch as torch


def test_views_look_at_one_memory():
    x = torch.tensor([[4.0, 1.0], [5.0, 3.0]])
    s = x.storage()
    assert str(s) == (
        " 4.0\n 1.0\n 5.0\n 3.0\n[torch.storage.TypedStorage(dtype=torch.float32, device=cpu) of "
        "size 4]"
    )
    for view in (x.t(), x[1], x[:, 1], x.expand(3, 2, 2), x.detach(), torch.from_numpy(x.numpy())):
        assert view.storage() == s and view.storage().tolist() == [4, 1, 5, 3]
    assert x.clone().storage() != s and x[1].clone().storage().size() == 2
    assert s.data_ptr() == x.data_ptr() and len(s) == 4 and s.nbytes() == 16
    assert s.type() == "torch.FloatStorage" and s.dtype is torch.float32 and s[-1] == 3.0
    s[0] = 9
    assert x[0, 0] == 9 and list(x.t().contiguous().storage()) == [9, 5, 1, 3]
    with pytest.raises(RuntimeError, match="slices"):
        s[1:]


def test_bytes():
    u = torch.tensor([1, 256], dtype=torch.int16).untyped_storage()
    assert u.tolist() == (list(np.array([1, 256], np.int16).tobytes())) and u.element_size() == 1
    assert repr(u).endswith("[torch.storage.UntypedStorage(device=cpu) of size 4]")
    assert u.fill_(0).tolist() == [0] * 4 and sys.getsizeof(u) >= 4
    assert torch.ones(2, dtype=torch.bfloat16).storage().tolist() == [1, 1]
    assert torch.tensor([True]).storage().untyped().tolist() == [1]


def test_a_slice_of_bytes_is_a_storage():
    x = torch.zeros(2, dtype=torch.int32)
    part = x.untyped_storage()[4:6]
    part[0] = 7
    assert len(part) == 2 and part.tolist() == [7, 0] and x.tolist() == [0, 7]
    with pytest.raises(RuntimeError, match="step of 2"):
        x.untyped_storage()[::2]


@pytest.mark.parametrize(
    "view",
    [
        lambda: torch.zeros(4, 4).view(torch.int32)[:, :2],
        lambda: torch.zeros(4, 4, dtype=torch.complex64).real,
        lambda: torch.zeros(4, 4, dtype=torch.float64).view(torch.bfloat16)[:, 2:],
        lambda: torch.from_numpy(np.zeros((2, 3, 4)).transpose(1, 0, 2).copy("K"))[1:, 1],
        lambda: torch.from_numpy(np.zeros((3, 8), np.float32)[:, ::2]),
    ],
)
def test_a_write_reaches_every_view(view):
    """Also one with another dtype than its memory's owner."""
    x = view()
    s = x.storage()
    assert s.dtype is x.dtype
    assert s.data_ptr() + x.storage_offset() * x.element_size() == x.data_ptr()
    s[x.storage_offset() + x.stride(-1)] = 5
    assert x.flatten()[1] == 5
    assert x.storage()[x.storage_offset() + x.stride(-1)] == 5 and x.sum() == 5


def test_bytes_that_make_no_number_do_not_count():
    x = torch.zeros(7, dtype=torch.uint8)
    assert x[:4].view(torch.int32).storage().size() == 1
    assert x[:4].view(torch.int32).untyped_storage().size() == 7


def test_backward_notices_a_write():
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    x.storage()[0] = 5
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
