"""What complex numbers are refused for, and in-place powers, with PyTorch's classes and words."""

import pytest

import microtorch as torch

Z = torch.tensor([1 + 1j, 2 - 1j])


def test_float_power_in_place():
    x = torch.tensor([2j, 1.0], dtype=torch.complex128)
    assert x.float_power_(2).tolist() == pytest.approx([-4, 1])
    y = torch.tensor([2.0], dtype=torch.float64)
    assert y.float_power_(2).item() == 4


ERRORS = [
    (RuntimeError, "requires dtype ComplexDouble", lambda: Z.clone().float_power_(2)),
    (
        RuntimeError, "requires dtype ComplexDouble",
        lambda: torch.ones(2, dtype=torch.float64).float_power_(1j),
    ),
    (RuntimeError, "requires dtype Double", lambda: torch.ones(2).float_power_(2)),
    (RuntimeError, "deviation to be non-complex", lambda: torch.normal(0.0, Z)),
    (RuntimeError, "deviation to be non-complex", lambda: torch.normal(torch.ones(2), Z)),
    (NotImplementedError, "geometric_cpu", lambda: Z.clone().geometric_(0.5)),
]  # fmt: skip


@pytest.mark.parametrize("kind, words, call", ERRORS)
def test_errors(kind, words, call):
    with pytest.raises(kind, match=words):
        call()


def test_a_mean_may_be_complex():
    assert torch.normal(Z, 0.0).tolist() == Z.tolist()
