"""PyTorch's names of arguments, where a call by position is the usual one."""

import pickle

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


def test_what_is_no_tensor_is_a_type_error_of_functions_that_look_at_nothing_themselves():
    for name, args in (
        ("permute", ((0,),)), ("transpose", (0, 1)), ("t", ()), ("flatten", ()), ("mean", ()),
        ("sum", (0,)), ("zeros_like", ()), ("numel", ()), ("is_complex", ()),
    ):  # fmt: skip
        for value in ([1.0, 2.0], 3, None):
            if name == "sum" and value is None:
                continue
            with pytest.raises(TypeError, match=f"{name}"):
                getattr(torch, name)(value, *args)


def test_arguments_that_would_be_ignored_or_misread_are_refused():
    x = torch.ones(2, 3)
    functional = torch.nn.functional
    for call in (
        lambda: torch.nan_to_num(x, x), lambda: torch.nan_to_num(x, 0.0, "big"),
        lambda: torch.normal(x, x, (2, 3)), lambda: torch.normal(x, 1.0, dtype=torch.float64),
        lambda: torch.select(x, 0, torch.tensor([0, 1])), lambda: torch.histc(x, 1.5),
        lambda: torch.eye(x), lambda: torch.eye(2.0), lambda: torch.linalg.qr(x, x),
        lambda: functional.gelu(x, x), lambda: functional.elu(x, x),
        lambda: functional.leaky_relu(x, "steep"), lambda: torch.where(x > 0, x),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            call()
    with pytest.raises(RuntimeError, match="without overflow"):
        x.clamp(max=1e39)
    assert torch.equal(x.clamp(max=float("inf")), x)
    assert torch.equal(torch.select(x, 0, torch.tensor(1)), x[1])
    assert torch.nan_to_num(x, torch.tensor(1.0)).equal(x)


def test_a_second_name_is_the_functions_own():
    for name in ("arcsin", "clip", "concat", "multiply", "divide", "greater", "negative", "ger"):
        assert getattr(torch, name).__name__ == name
        assert pickle.loads(pickle.dumps(getattr(torch, name))) is getattr(torch, name)
        if name != "concat":
            assert getattr(torch.Tensor, name).__name__ == name
    assert torch.equal(torch.arcsin(X / 24, out=torch.empty(2, 3, 4)), torch.asin(X / 24))
