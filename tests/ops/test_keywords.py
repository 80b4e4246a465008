"""PyTorch's names of arguments, where a call by position is the usual one."""

import pytest

import microtorch as torch

X = torch.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    "named, plain",
    [
        (lambda: X.reshape(shape=(6, -1)), lambda: X.reshape(6, 4)),
        (lambda: torch.reshape(input=X, shape=(6, 4)), lambda: X.reshape(6, 4)),
        (lambda: X.view(size=(6, 4)), lambda: X.view(6, 4)),
        (lambda: X.view(dtype=torch.int32), lambda: X.view(torch.int32)),
        (lambda: X[:1].expand(size=(2, 3, 4)), lambda: X[:1].expand(2, 3, 4)),
        (lambda: X.split(split_size=1, dim=1)[2], lambda: X.split(1, 1)[2]),
        (lambda: torch.split(X, split_size_or_sections=1)[1], lambda: X.split(1)[1]),
        (lambda: X.new_zeros(size=(2, 1)), lambda: X.new_zeros(2, 1)),
        (lambda: X.swapaxes(axis0=0, axis1=1), lambda: X.transpose(0, 1)),
        (lambda: torch.clone(input=X), lambda: X),
        (lambda: torch.torch.spmm(X[0], X[0].T), lambda: X[0] @ X[0].T),
        (lambda: torch.randint_like(X, high=1), lambda: torch.zeros_like(X)),
    ],
)
def test_by_name(named, plain):
    assert torch.equal(named(), plain()) and named().dtype is plain().dtype


def test_a_wrong_name_is_refused():
    for function in (X.reshape, X.new_ones, X.expand):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            function(2, 3, 4, sise=1)
    with torch.set_grad_enabled(mode=False):
        assert not torch.is_grad_enabled()
