"""Dtypes: promotion, what each kind of op makes of them, Python numbers, casts in place.

The tables were recorded from PyTorch 2.13.
"""

import copy
import operator

import numpy as np
import pytest

import microtorch as torch

NAMES = {
    "b": "bool",
    "u1": "uint8",
    "i1": "int8",
    "i2": "int16",
    "i4": "int32",
    "i8": "int64",
    "f2": "float16",
    "f4": "float32",
    "f8": "float64",
}
DTYPES = {short: getattr(torch, name) for short, name in NAMES.items()}

# the dtype of x * y; columns: y's dtype, in the order of NAMES
BOTH_WITH_DIMENSIONS = {
    "b": "b u1 i1 i2 i4 i8 f2 f4 f8",
    "u1": "u1 u1 i2 i2 i4 i8 f2 f4 f8",
    "i1": "i1 i2 i1 i2 i4 i8 f2 f4 f8",
    "i2": "i2 i2 i2 i2 i4 i8 f2 f4 f8",
    "i4": "i4 i4 i4 i4 i4 i8 f2 f4 f8",
    "i8": "i8 i8 i8 i8 i8 i8 f2 f4 f8",
    "f2": "f2 f2 f2 f2 f2 f2 f2 f4 f8",
    "f4": "f4 f4 f4 f4 f4 f4 f4 f4 f8",
    "f8": "f8 f8 f8 f8 f8 f8 f8 f8 f8",
}
SECOND_WITHOUT_DIMENSIONS = {
    "b": "b u1 i1 i2 i4 i8 f2 f4 f8",
    "u1": "u1 u1 u1 u1 u1 u1 f2 f4 f8",
    "i1": "i1 i1 i1 i1 i1 i1 f2 f4 f8",
    "i2": "i2 i2 i2 i2 i2 i2 f2 f4 f8",
    "i4": "i4 i4 i4 i4 i4 i4 f2 f4 f8",
    "i8": "i8 i8 i8 i8 i8 i8 f2 f4 f8",
    "f2": "f2 f2 f2 f2 f2 f2 f2 f2 f2",
    "f4": "f4 f4 f4 f4 f4 f4 f4 f4 f4",
    "f8": "f8 f8 f8 f8 f8 f8 f8 f8 f8",
}
# columns: True, 2, 2.5
NUMBER = {
    "b": "b i8 f4",
    "u1": "u1 u1 f4",
    "i1": "i1 i1 f4",
    "i2": "i2 i2 f4",
    "i4": "i4 i4 f4",
    "i8": "i8 i8 f4",
    "f2": "f2 f2 f2",
    "f4": "f4 f4 f4",
    "f8": "f8 f8 f8",
}
# op on tensors of one dtype; columns in the order of NAMES, -- where PyTorch has none
RESULTS = {
    "div": "f4 f4 f4 f4 f4 f4 f2 f4 f8",
    "floor_divide": "-- u1 i1 i2 i4 i8 f2 f4 f8",
    "pow": "-- u1 i1 i2 i4 i8 f2 f4 f8",
    "remainder": "-- u1 i1 i2 i4 i8 f2 f4 f8",
    "eq": "b b b b b b b b b",
    "sqrt": "f4 f4 f4 f4 f4 f4 f2 f4 f8",
    "exp": "f4 f4 f4 f4 f4 f4 f2 f4 f8",
    "abs": "-- u1 i1 i2 i4 i8 f2 f4 f8",
    "neg": "-- u1 i1 i2 i4 i8 f2 f4 f8",
    "round": "-- u1 i1 i2 i4 i8 f2 f4 f8",
    "sum": "i8 i8 i8 i8 i8 i8 f2 f4 f8",
    "prod": "i8 i8 i8 i8 i8 i8 f2 f4 f8",
    "cumsum": "i8 i8 i8 i8 i8 i8 f2 f4 f8",
    "max": "b u1 i1 i2 i4 i8 f2 f4 f8",
}


def ones(short, *shape):
    return torch.ones(shape, dtype=DTYPES[short])


@pytest.mark.parametrize("first", NAMES)
def test_promotion(first):
    for second, tensors, zero in zip(
        NAMES,
        BOTH_WITH_DIMENSIONS[first].split(),
        SECOND_WITHOUT_DIMENSIONS[first].split(),
        strict=True,
    ):
        x, y, y0 = ones(first, 2), ones(second, 2), ones(second)
        assert (
            (x * y).dtype
            == torch.result_type(x, y)
            == torch.promote_types(x.dtype, y.dtype)
            == DTYPES[tensors]
        )
        assert (x * y0).dtype == (y0 * x).dtype == torch.result_type(x, y0) == DTYPES[zero]
        assert torch.where(torch.tensor([True, False]), x, y0).dtype == DTYPES[zero]
    for value, expected in zip((True, 2, 2.5), NUMBER[first].split(), strict=True):
        assert (
            (x * value).dtype
            == (value * x).dtype
            == torch.result_type(x, value)
            == DTYPES[expected]
        )
        assert (x[0] * value).dtype == DTYPES[expected]
        assert torch.where(x[0] > 0, x[0], value).dtype == DTYPES[expected]


@pytest.mark.parametrize("name", NAMES)
def test_a_number_of_numpys_is_a_number(name):
    """On either side, in a function and as a limit, its own dtype takes no part."""
    for kind in "bool_ int8 uint8 int64 float16 float32 float64 complex64 complex128".split():
        given = getattr(np, kind)(1)
        number = given.item()
        for x in (ones(name, 2), ones(name)):
            if name == "f2" and isinstance(number, complex):
                continue  # two halves
            dtype = (x * number).dtype
            assert (x * given).dtype == (given * x).dtype == torch.mul(x, given).dtype == dtype
            assert torch.result_type(x, given) == dtype
            if type(number) is not complex:
                assert x.clamp(given).dtype == x.clamp(number).dtype
                assert torch.where(x > 0, x, given).dtype == torch.where(x > 0, x, number).dtype
            if name != "b" and type(number) is not bool:
                assert (x - given).dtype == (given - x).dtype == dtype


@pytest.mark.parametrize("name", RESULTS)
def test_result_of_an_op(name):
    for short, expected in zip(NAMES, RESULTS[name].split(), strict=True):
        x = ones(short, 2)
        if expected == "--":
            continue
        f = getattr(torch, name)
        args = (
            (x,)
            if name in ("div", "floor_divide", "pow", "remainder", "eq")
            else (0,)
            if name == "cumsum"
            else ()
        )
        assert f(x, *args).dtype == DTYPES[expected]


def test_gradients_have_the_dtype_of_their_tensor():
    x = torch.tensor([1.0, 2.0], dtype=torch.float32, requires_grad=True)
    y = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    n = torch.tensor([5, 6])
    (x * y * n).sum().backward()
    assert x.grad.dtype == torch.float32 and x.grad.tolist() == [15.0, 24.0]
    assert y.grad.dtype == torch.float64 and y.grad.tolist() == [5.0, 12.0]


@pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
def test_integer_division():
    x = torch.tensor([7, -7, 6])
    assert (x / 2).tolist() == [3.5, -3.5, 3.0]
    assert (x // 2).tolist() == [3, -4, 3] and (x // 2).dtype == torch.int64
    assert (x % 4).tolist() == [3, 1, 2]
    assert torch.fmod(x, 4).tolist() == [3, -3, 2]
    assert torch.div(x, 2, rounding_mode="trunc").tolist() == [3, -3, 3]
    assert torch.div(x, 2, rounding_mode="floor").tolist() == [3, -4, 3]
    assert (torch.tensor([7.0, -7.0]) // 2).tolist() == [3.0, -4.0]
    assert (7 / torch.tensor([2, 4], dtype=torch.uint8)).tolist() == [3.5, 1.75]
    for f in (operator.floordiv, operator.mod, torch.fmod):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            f(x, 0)
    assert (torch.tensor([1.0]) // 0).item() == float("inf")


def test_numbers_that_do_not_fit():
    x = torch.tensor([3, 1], dtype=torch.uint8)
    assert (x + -1).tolist() == [2, 0] and (x * -1).tolist() == [
        253,
        255,
    ]  # unsigned: around the corner
    assert (x / -1).tolist() == [-3.0, -1.0]
    # operands wrap around, values to be stored are refused
    assert (x + 300).tolist() == [47, 45]
    assert (x > 300).tolist() == [False, False]
    assert (torch.tensor([200], dtype=torch.uint8) == 300).tolist() == [False]
    with pytest.raises(OverflowError):
        x + 2**70
    with pytest.raises(RuntimeError, match="negative integer powers"):
        torch.tensor([2, 3]) ** -1


UINT8 = torch.tensor([200], dtype=torch.uint8)
TRUE = torch.tensor([True])


@pytest.mark.parametrize(
    "store",
    [
        lambda: UINT8.clone().fill_(300),
        lambda: UINT8.clone().__setitem__(0, 300),
        lambda: UINT8.masked_fill(TRUE, 300),
        lambda: torch.where(TRUE, UINT8, 300),
        lambda: UINT8.clamp(0, 300),
        lambda: torch.full((1,), 300, dtype=torch.uint8),
        lambda: torch.tensor([300], dtype=torch.uint8),
        lambda: torch.tensor([float("nan")], dtype=torch.int64),
        lambda: UINT8.long().fill_(float("inf")),
        lambda: torch.zeros(2).half().masked_fill(TRUE, -1e9),
        lambda: torch.zeros(1).fill_(1e60),
    ],
)
def test_values_that_do_not_fit_are_not_stored(store):
    with pytest.raises(RuntimeError, match="without overflow"):
        store()


def test_infinity_and_negative_numbers_can_be_stored():
    assert torch.zeros(1).fill_(float("inf")).item() == float("inf")
    assert UINT8.clone().fill_(-1).item() == 255
    assert torch.tensor([-1], dtype=torch.uint8).item() == 255


def test_limits_of_clamp_raise_the_dtype():
    x = torch.tensor([1, 2, 3])
    assert x.clamp(1.5, 2.5).tolist() == [1.5, 2.0, 2.5]
    assert x.clamp(min=2).dtype == torch.int64
    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        x.clamp_(1.5)


def test_masked_fill_keeps_the_dtype():
    mask = torch.tensor([True, False])
    assert torch.tensor([True, False]).masked_fill(mask, 0).dtype == torch.bool
    assert torch.tensor([1.0, 2.0]).masked_fill(mask, -float("inf")).tolist() == [
        -float("inf"),
        2.0,
    ]
    half = torch.tensor(2.0, dtype=torch.float16)
    assert half.masked_fill(torch.tensor(True), 1.0).dtype == torch.float16
    assert torch.tensor([1, 2]).masked_fill(mask, torch.tensor(2.7)).tolist() == [2, 2]


@pytest.mark.parametrize("value", [torch.tensor(1e30), torch.tensor(2 + 1j)])
def test_one_number_must_fit_where_it_is_written(value):
    x, mask = torch.tensor([1, 2]), torch.tensor([True, False])
    for write in (
        lambda: x.masked_fill_(mask, value),
        lambda: x.index_fill_(0, torch.tensor([0]), value),
        lambda: x.__setitem__(mask, value),
    ):
        with pytest.raises(RuntimeError):
            write()
    assert x.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("target", "value", "message"),
    [
        ("i8", 2.5, "result type Float can't be cast to the desired output type Long"),
        ("u1", 0.5, "result type Float can't be cast to the desired output type Byte"),
        ("b", 2, "result type Long can't be cast to the desired output type Bool"),
        (
            "i4",
            torch.tensor([1.5, 2.5]),
            "result type Float can't be cast to the desired output type Int",
        ),
    ],
)
def test_an_in_place_result_must_fit_its_target(target, value, message):
    x = ones(target, 2)
    for write in (x.mul_, x.add_):
        with pytest.raises(RuntimeError, match=message):
            write(value)
    assert x.tolist() == [1, 1]


def test_in_place_keeps_the_targets_dtype():
    x = torch.ones(2, dtype=torch.float16)
    x += torch.ones(2, dtype=torch.float64)
    assert x.dtype == torch.float16
    n = torch.ones(2, dtype=torch.int16)
    n *= 3
    n[0] = 2.7  # assignment converts, as copy_ does
    assert n.dtype == torch.int16 and n.tolist() == [2, 3]
    with pytest.raises(RuntimeError, match="can't be cast"):
        n /= 2


def test_what_bools_cannot_do():
    mask, n = torch.tensor([True, False]), torch.tensor([1, 2])
    for f, said in (
        (lambda: mask - n, "Subtraction, .* with a bool tensor .* `logical_not"),
        (lambda: 1 - mask, "Subtraction, .* with a bool tensor .* `logical_not"),
        (lambda: n - mask, "Subtraction, .* with a bool tensor .* `logical_not"),
        (lambda: mask - mask, "Subtraction, .* with two bool tensors .* `logical_xor"),
        (lambda: mask - True, "Subtraction, .* with two bool tensors .* `logical_xor"),
        (lambda: -mask, "Negation, .* on a bool tensor .* `logical_not"),
    ):
        with pytest.raises(RuntimeError, match=said):
            f()
    assert (mask + mask).tolist() == [True, False] and (mask * n).tolist() == [1, 0]
    assert (mask & ~mask).tolist() == [False, False] and (n ^ 3).tolist() == [2, 1]
    with pytest.raises(NotImplementedError, match='"bitwise_and_cpu" not implemented'):
        torch.tensor([1.0]) & 1


def test_products_of_matrices_are_of_one_dtype():
    x, y = torch.ones(2, 2), torch.ones(2, 2, dtype=torch.float64)
    for f in (
        lambda: x @ y,
        lambda: torch.matmul(x, y[0]),
        lambda: torch.nn.functional.linear(x, y),
    ):
        with pytest.raises(RuntimeError, match=r"same dtype.*(float != double|Double)"):
            f()


def test_dimension_zero_of_a_number():
    x = torch.tensor(2.0, requires_grad=True)
    for f in (
        lambda: x.sum(0),
        lambda: x.mean(-1),
        lambda: x.prod(0),
        lambda: x.logsumexp(0),
        lambda: x.flip(0),
        lambda: x.amax(0),
        lambda: x.norm(dim=0),
        lambda: x.softmax(0) * x,
        lambda: x.cumsum(0),
    ):
        y = f()
        assert y.shape == () and y.item() == 2.0
        (g,) = torch.autograd.grad(y, x)
        assert g.item() == 1.0
    with pytest.raises(IndexError):
        x.sum(1)


def test_limits_of_one_dtype_are_equal():
    assert torch.finfo() == torch.finfo(torch.float32) != torch.finfo(torch.float64)
    assert torch.iinfo(torch.int8) == torch.iinfo(torch.int8) != torch.iinfo(torch.uint8)
    assert len({torch.finfo(torch.half), torch.finfo(torch.half)}) == 1
    for kind in (torch.finfo, torch.iinfo):
        with pytest.raises(TypeError, match=r"must be torch.dtype"):
            kind(3)


def test_limits_cannot_be_changed():
    info = torch.finfo(type=torch.float32)
    for whole in (info, torch.iinfo(type=torch.int8)):
        with pytest.raises(AttributeError, match=r"attribute 'max' of .* is not writable"):
            whole.max = 3
        with pytest.raises(AttributeError, match=r"attribute 'max' of .* is not writable"):
            del whole.max
        with pytest.raises(TypeError, match="cannot pickle 'torch"):
            copy.copy(whole)
    assert torch.finfo(torch.float32).eps == 2**-23 and torch.finfo(torch.bfloat16).eps == 2**-7
    assert torch.finfo(torch.complex64) == info and torch.finfo(torch.float16).max == 65504.0
