"""Transforms of functions of float16 and bfloat16, and of functions that pass through them."""
import pytest

import microtorch as torch

pytest.importorskip("ml_dtypes")
KINDS = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)


@KINDS
def test_both_modes_on_numbers_of_16_bits(dtype):
    x = torch.tensor([2.0, 3.0], dtype=dtype)
    value, tangent = torch.func.jvp(lambda x: (x * x).sum(), (x,), (torch.ones_like(x),))
    assert value.item() == 13 and tangent.item() == 10 and tangent.dtype == dtype
    gradient = torch.func.grad(lambda x: (x * x).sum())(x)
    assert gradient.tolist() == [4, 6] and gradient.dtype == dtype
    for jacobian in (torch.func.jacrev, torch.func.jacfwd):
        assert jacobian(lambda x: x * x)(x).tolist() == [[4, 0], [0, 6]]


@KINDS
def test_a_tangent_goes_through_a_cast(dtype):
    x = torch.tensor([2.0, 3.0])
    for jacobian in (torch.func.jacrev, torch.func.jacfwd):
        assert jacobian(lambda x: x.to(dtype) * x)(x).tolist() == [[4, 0], [0, 6]]
        assert jacobian(lambda x: x.to(dtype).float() * 2)(x).tolist() == [[2, 0], [0, 2]]


@KINDS
def test_a_mapped_function_of_numbers_of_16_bits(dtype):
    x = torch.tensor([[2.0, 3.0], [4.0, 5.0]], dtype=dtype)
    assert torch.vmap(lambda x: (x * x).sum())(x).tolist() == [13, 41]
    per_sample = torch.vmap(torch.func.grad(lambda x: (x * x).sum()))(x)
    assert per_sample.tolist() == [[4, 6], [8, 10]] and per_sample.dtype == dtype


@KINDS
def test_numbers_beside_16_bits(dtype):
    x = torch.tensor([2.0, 3.0], dtype=dtype)
    assert torch.vmap(lambda x: x * 2)(x).dtype == dtype
    assert torch.func.jacfwd(lambda x: x[0] * 2)(x).dtype == dtype
    assert torch.func.jacrev(torch.func.jacfwd(lambda x: (x * 3).prod()))(x).dtype == dtype


@KINDS
@pytest.mark.parametrize(
    "f", [lambda v: v * 0.9, lambda v: 0.9 * v, lambda v: v / 0.9, lambda v: (v * 0.3).softmax(-1)]
)
def test_numbers_are_exact_in_transforms_as_outside(f, dtype):
    x = torch.linspace(-2, 2, 64).reshape(4, 16).to(dtype)
    assert torch.equal(torch.vmap(f)(x), f(x))
    out, tangent = torch.func.jvp(f, (x,), (torch.ones_like(x),))
    assert torch.equal(out, f(x)) and tangent.dtype == dtype
    assert torch.func.jacfwd(f)(x[0]).dtype == torch.func.jacrev(f)(x[0]).dtype == dtype
