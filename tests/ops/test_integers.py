"""Functions of integers and masks that PyTorch refuses, or whose numbers would wrap around."""
import pytest

import microtorch as torch
from microtorch.nn import functional as F

ACTIVATIONS = (
    "gelu silu softplus elu celu selu leaky_relu hardswish hardsigmoid mish logsigmoid softshrink "
    "hardshrink"
).split()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_of_integers_is_refused(name):
    for x in (torch.tensor([1, -2]), torch.tensor([True]), torch.tensor(3, dtype=torch.uint8)):
        with pytest.raises(NotImplementedError, match="not implemented for"):
            getattr(F, name)(x)


def test_relu_and_its_like_take_integers_but_no_masks():
    x = torch.tensor([-1, 2, 9])
    assert F.relu(x).tolist() == [0, 2, 9]
    assert F.relu6(x).tolist() == [0, 2, 6]
    assert F.threshold(x, 2, 0).tolist() == [0, 0, 9]
    for f in (F.relu, F.relu6, F.hardtanh):
        with pytest.raises(RuntimeError, match="Bool"):
            f(torch.tensor([True]))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int64])
def test_a_negative_exponent_of_integers_is_refused(dtype):
    for x in (torch.tensor([1, 2], dtype=dtype), torch.tensor(2, dtype=dtype)):
        for power in (lambda x: x**-1, lambda x: x.pow(-1), lambda x: x.clone().pow_(-2)):
            with pytest.raises(RuntimeError, match="negative integer powers"):
                power(x)
        assert (x**-1.0).dtype == torch.float32
    assert ((-1) ** torch.tensor([1, 2], dtype=dtype)).tolist()[1] == 1
    assert (2 ** torch.tensor([3], dtype=dtype)).tolist() == [8]


def test_rows_of_complex_numbers_by_index():
    w = torch.tensor([[1j, 2], [3, 4 - 1j]], requires_grad=True)
    picked = F.embedding(torch.tensor([1, 1]), w)
    assert picked.tolist() == [[3, 4 - 1j]] * 2
    (picked * (1 + 2j)).real.sum().backward()
    assert w.grad.tolist() == [[0, 0], [2 - 4j, 2 - 4j]]


def test_what_pytorch_has_for_numbers_only():
    mask, whole = torch.ones(2, 2, dtype=torch.bool), torch.ones(1, 2, 2, dtype=torch.int32)
    refused = (
        lambda: mask @ mask,
        lambda: F.linear(mask, mask),
        lambda: F.avg_pool2d(whole, 2),
        lambda: F.glu(whole),
        lambda: torch.arange(2, dtype=torch.bool),
        lambda: torch.arange(2, dtype=torch.complex64),
    )
    for f in refused:
        with pytest.raises(NotImplementedError, match="not implemented for"):
            f()
    with pytest.raises(TypeError, match="implemented on integer"):
        ~torch.ones(2)
    assert F.avg_pool2d(whole.long() * 3, 2).tolist() == [[[3]]]
    assert (whole @ whole).tolist() == [[[2, 2], [2, 2]]] and (~mask).any().item() is False


def test_numbers_that_an_integer_type_does_not_hold():
    x = torch.tensor([1, 2, 255], dtype=torch.uint8)
    for f in (
        lambda: x**300, lambda: x.clone().pow_(300), lambda: x.to(torch.int8) ** 128,
        lambda: torch.nn.functional.pad(x, (1, 1), value=-1),
        lambda: torch.nn.functional.pad(x, (1, 1), value=300),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="without overflow"):
            f()
    assert torch.nn.functional.pad(x, (1, 0), value=7).tolist() == [7, 1, 2, 255]
    assert (x**2).tolist() == [1, 4, 1] and (x ** torch.tensor(2)).dtype == torch.uint8


@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "int32", "int64"])
def test_whole_numbers_of_one_dtype_keep_it_and_wrap_around(name):
    dtype = getattr(torch, name)
    info = torch.iinfo(dtype)
    x = torch.tensor([[0, 1, 2], [3, 4, 5]], dtype=dtype)
    for out, expected in (
        (x + x, [[0, 2, 4], [6, 8, 10]]),
        (x * 3 - 2 * x, x.tolist()),
        (x.t() + x.t(), [[0, 6], [2, 8], [4, 10]]),
        (torch.tensor(info.max, dtype=dtype) + 1, info.min),
        (torch.tensor([info.min], dtype=dtype) - 1, [info.max]),
    ):
        assert out.dtype == dtype and out.tolist() == expected
    assert (x.t() + x.t()).stride() == x.t().stride()
    count = torch.zeros(2, 2, dtype=dtype)
    for i, j in ((0, 1), (1, 1), (0, 1)):
        count[i, j] += 1
    assert count.tolist() == [[0, 2], [0, 1]] and count.dtype == dtype
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        x // torch.zeros_like(x)


def test_a_mask_to_the_power_of_a_truth_is_a_mask():
    mask = torch.tensor([True, False])
    for power in (mask**True, mask.pow(True), torch.pow(mask, True), mask.clone().pow_(True)):
        assert power.dtype == torch.bool and power.tolist() == [True, False]
    assert mask.pow(False).tolist() == [True, True]
    for refused in (lambda: mask.pow(mask), lambda: True**mask):
        with pytest.raises(NotImplementedError, match="pow_cpu"):
            refused()
