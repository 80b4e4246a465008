"""Random numbers go to a tensor in the order of its memory, and new tensors keep that order."""

import numpy as np
import pytest

import microtorch as torch
from microtorch.arrays.memory_order import in_memory_order, outermost_first

LAYOUTS = {
    "transposed": lambda x: x.view(4, 12).t(),
    "permuted": lambda x: x.view(2, 4, 6).permute(2, 0, 1),
    "transposed, every second": lambda x: x.view(4, 12).t()[::2],
    "every third": lambda x: x.view(4, 12)[:, ::3],
    "a size of 1": lambda x: x.view(3, 1, 16).transpose(0, 2),
    "part of a permuted one": lambda x: x.view(2, 3, 2, 4).permute(3, 1, 0, 2)[:, :2],
}
FILLS = {
    "uniform_": (-1.0, 2.0), "random_": (3, 50), "exponential_": (2.0,), "log_normal_": (),
    "cauchy_": (), "geometric_": (0.3,), "bernoulli_": (0.4,), "normal_": (1.0, 2.0),
}  # fmt: skip


def as_it_lies(x):
    """The elements of an array in the order of their addresses."""
    places = sum(np.arange(n).reshape(-1, *[1] * (x.ndim - 1 - i)) * x.strides[i]
                 for i, n in enumerate(x.shape))  # fmt: skip
    return x.ravel()[np.argsort(places.ravel())]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fill", FILLS)
def test_a_fill_goes_through_memory(fill, layout):
    x = LAYOUTS[layout](torch.zeros(48, dtype=torch.float64))
    rows = torch.zeros(x.numel(), 2, dtype=torch.float64)[:, 0]  # normal_ has another way for rows
    for target in (x, rows):
        torch.manual_seed(3)
        getattr(target, fill)(*FILLS[fill])
    np.testing.assert_array_equal(as_it_lies(x.numpy()), rows.numpy())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_probabilities_keep_their_places(layout):
    x = LAYOUTS[layout](torch.zeros(48))
    chances = (torch.arange(x.numel()).reshape(x.shape) % 2).float()
    assert (x.bernoulli_(chances) == chances).all()
    assert (x.bernoulli_(chances[..., :1]) == chances[..., :1].expand(x.shape)).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "make",
    [torch.rand_like, torch.zeros_like, torch.ones_like, torch.empty_like,
     lambda x: torch.full_like(x, 3), lambda x: torch.randint_like(x, 9),
     lambda x: torch.nn.functional.dropout(x, 0.4)],
)  # fmt: skip
def test_what_is_like_a_tensor_lies_like_it(make, layout):
    x = LAYOUTS[layout](torch.ones(48))
    made = make(x)
    dense = in_memory_order(x.numpy(), np.empty)
    kept = [i for i, n in enumerate(x.shape) if n > 1]
    assert made.shape == x.shape
    assert [made.stride(i) for i in kept] == [dense.strides[i] // dense.itemsize for i in kept]


def test_rows_where_they_are_asked_for():
    x = torch.ones(4, 6).t()
    assert torch.zeros_like(x, memory_format=torch.contiguous_format).is_contiguous()
    assert not torch.zeros_like(x, memory_format=torch.preserve_format).is_contiguous()


def test_normals_like_a_tensor_in_rows_come_in_blocks():
    torch.manual_seed(0)
    blocks = torch.randn(24)
    torch.manual_seed(0)
    assert torch.randn_like(torch.ones(48)[::2]).tolist() == blocks.tolist()
    torch.manual_seed(0)
    one_by_one = torch.randn_like(torch.ones(4, 6).t()).t()
    torch.manual_seed(0)
    assert one_by_one.reshape(-1).tolist() == torch.zeros(24, 2)[:, 0].normal_().tolist()


def test_pytorch_s_numbers_for_a_transposed_tensor():
    """Recorded from PyTorch 2.13."""
    torch.manual_seed(0)
    x = torch.rand_like(torch.ones(4, 6).t())
    first = [0.4963, 0.4901, 0.0223, 0.1610, 0.7682, 0.8964]
    np.testing.assert_allclose(x.reshape(-1)[:6].numpy(), first, atol=5e-5)
    torch.manual_seed(0)
    y = torch.ones(3, 4, 2).permute(2, 0, 1).normal_()
    first = [1.541, -2.179, -1.085, 0.4033, -0.7193, -0.5966]
    np.testing.assert_allclose(y.reshape(-1)[:6].numpy(), first, atol=5e-4)


def test_expanded_dimensions_keep_their_places():
    x = np.broadcast_to(np.ones((5, 1, 1)), (5, 3, 1))
    assert outermost_first(x) == [0, 1, 2]
