"""Tensor printing: strings recorded from PyTorch 2.13.

Where PyTorch is installed, random tensors are printed by both.
"""

import random
import time
import warnings
from math import inf, nan

import numpy as np
import pytest

from microtorch.arrays import printing
from microtorch.arrays.printing import (
    get_printoptions,
    printoptions,
    set_printoptions,
    tensor_format,
    tensor_repr,
)


def f32(values):
    return np.array(values, dtype=np.float32)


@pytest.fixture(autouse=True)
def fresh_options():
    with printoptions(profile="default"):
        yield


VALUES = {
    "0-d": (np.float32(3.14159), "tensor(3.1416)"),
    "0-d whole": (np.float32(2), "tensor(2.)"),
    "0-d int": (np.int64(7), "tensor(7)"),
    "0-d bool": (np.bool_(True), "tensor(True)"),
    "0-d nan": (np.float32(nan), "tensor(nan)"),
    "whole floats": (f32([1, -20, 3]), "tensor([  1., -20.,   3.])"),
    "fixed point": (f32([1.5, -20, 3]), "tensor([  1.5000, -20.0000,   3.0000])"),
    "rounding": (f32([0.99996, 2.00005]), "tensor([1.0000, 2.0001])"),
    "zeros": (np.zeros(3, np.float32), "tensor([0., 0., 0.])"),
    "negative zero alone": (f32([0.0, -0.0]), "tensor([0., -0.])"),
    "negative zero sticks out": (
        f32([[0.5, -0.0], [1.5, 2.5]]),
        "tensor([[0.5000, -0.0000],\n        [1.5000, 2.5000]])",
    ),
    "nan and inf among whole": (
        f32([1, nan, inf, -inf, 100]),
        "tensor([  1.,  nan,  inf, -inf, 100.])",
    ),
    "nan and inf among fractions": (
        f32([1.5, nan, inf, -inf]),
        "tensor([1.5000,    nan,    inf,   -inf])",
    ),
    "inf sticks out": (f32([[1, -inf], [2, 3]]), "tensor([[1., -inf],\n        [2., 3.]])"),
    "ratio 1000 is fixed": (f32([1, 1000.0, 0.0]), "tensor([   1., 1000.,    0.])"),
    "ratio above 1000 is sci": (
        f32([1, 1001.0, 0.0]),
        "tensor([1.0000e+00, 1.0010e+03, 0.0000e+00])",
    ),
    "1e8 is fixed": (f32([1e8]), "tensor([100000000.])"),
    "above 1e8 is sci": (f32([1.5e8, -inf]), "tensor([1.5000e+08,       -inf])"),
    "below 1e-4 is sci": (f32([0.00009, nan]), "tensor([9.0000e-05,        nan])"),
    "three-digit exponent": (
        np.array([1e-300, -1.0]),
        "tensor([1.0000e-300, -1.0000e+00], dtype=torch.float64)",
    ),
    "float16": (
        np.array([0.1, 65504], np.float16),
        "tensor([9.9976e-02, 6.5504e+04], dtype=torch.float16)",
    ),
    "float64": (np.array([0.1, 0.2]), "tensor([0.1000, 0.2000], dtype=torch.float64)"),
    "int64 columns": (
        np.array([[1, -200], [30, 4]]),
        "tensor([[   1, -200],\n        [  30,    4]])",
    ),
    "int64 extremes": (
        np.array([-(2**63), 2**63 - 1]),
        "tensor([-9223372036854775808,  9223372036854775807])",
    ),
    "int8": (np.array([1, -128], np.int8), "tensor([   1, -128], dtype=torch.int8)"),
    "int16": (np.array([1, 2], np.int16), "tensor([1, 2], dtype=torch.int16)"),
    "int32": (np.array([1, 2], np.int32), "tensor([1, 2], dtype=torch.int32)"),
    "uint8": (np.array([1, 255], np.uint8), "tensor([  1, 255], dtype=torch.uint8)"),
    "bool columns": (
        np.array([[True, False], [True, True]]),
        "tensor([[ True, False],\n        [ True,  True]])",
    ),
    "bool, all true": (np.array([True, True]), "tensor([True, True])"),
    "empty": (f32([]), "tensor([])"),
    "empty 2-d": (np.zeros((0, 3), np.float32), "tensor([], size=(0, 3))"),
    "empty int64": (np.zeros(0, np.int64), "tensor([], dtype=torch.int64)"),
    "3-d": (
        np.arange(8.0, dtype=np.float32).reshape(2, 2, 2),
        "tensor([[[0., 1.],\n         [2., 3.]],\n\n        [[4., 5.],\n         [6., 7.]]])",
    ),
    "4-d": (
        np.arange(8).reshape(2, 2, 1, 2),
        "tensor([[[[0, 1]],\n\n         [[2, 3]]],\n\n\n        [[[4, 5]],\n\n         [[6, 7]]]])",
    ),
    "transposed": (
        np.arange(6).reshape(2, 3).T,
        "tensor([[0, 3],\n        [1, 4],\n        [2, 5]])",
    ),
    "line wrap": (
        np.arange(30),
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])",
    ),
    "line wrap in rows": (
        np.arange(40.0).reshape(2, 20) / 8,
        "tensor([[0.0000, 0.1250, 0.2500, 0.3750, 0.5000, 0.6250, 0.7500, 0.8750, 1.0000,\n"
        "         1.1250, 1.2500, 1.3750, 1.5000, 1.6250, 1.7500, 1.8750, 2.0000, 2.1250,\n"
        "         2.2500, 2.3750],\n"
        "        [2.5000, 2.6250, 2.7500, 2.8750, 3.0000, 3.1250, 3.2500, 3.3750, 3.5000,\n"
        "         3.6250, 3.7500, 3.8750, 4.0000, 4.1250, 4.2500, 4.3750, 4.5000, 4.6250,\n"
        "         4.7500, 4.8750]], dtype=torch.float64)",
    ),
    "summary 1-d": (np.arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    "summary of a long axis only": (
        np.arange(2400).reshape(2, 1200),
        "tensor([[   0,    1,    2,  ..., 1197, 1198, 1199],\n"
        "        [1200, 1201, 1202,  ..., 2397, 2398, 2399]])",
    ),
    "summary of 3-d": (
        np.arange(2000).reshape(500, 2, 2),
        "tensor([[[   0,    1],\n"
        "         [   2,    3]],\n"
        "\n"
        "        [[   4,    5],\n"
        "         [   6,    7]],\n"
        "\n"
        "        [[   8,    9],\n"
        "         [  10,   11]],\n"
        "\n"
        "        ...,\n"
        "\n"
        "        [[1988, 1989],\n"
        "         [1990, 1991]],\n"
        "\n"
        "        [[1992, 1993],\n"
        "         [1994, 1995]],\n"
        "\n"
        "        [[1996, 1997],\n"
        "         [1998, 1999]]])",
    ),
    "summary ignores the hidden middle": (
        np.r_[np.ones(600), 1e30, np.ones(600)],
        "tensor([1., 1., 1.,  ..., 1., 1., 1.], dtype=torch.float64)",
    ),
    "empty bool 3-d": (np.zeros((2, 0, 3), bool), "tensor([], size=(2, 0, 3), dtype=torch.bool)"),
}

SUFFIXES = {
    "float64 as default": (
        {"default_dtype": np.float64},
        np.array([0.1, 0.2]),
        "tensor([0.1000, 0.2000])",
    ),
    "float32 not default": (
        {"default_dtype": np.float64},
        f32([0.5]),
        "tensor([0.5000], dtype=torch.float32)",
    ),
    "requires grad": ({"requires_grad": True}, f32([1.5]), "tensor([1.5000], requires_grad=True)"),
    "grad_fn": (
        {"requires_grad": True, "grad_fn_name": "MulBackward0"},
        np.array([1.5]),
        "tensor([1.5000], dtype=torch.float64, grad_fn=<MulBackward0>)",
    ),
    "suffix wraps": (
        {"requires_grad": True, "grad_fn_name": "MulBackward0"},
        f32([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12.5]]),
        "tensor([[ 1.0000,  2.0000,  3.0000,  4.0000,  5.0000,  6.0000,  7.0000,  8.0000,\n"
        "          9.0000, 10.0000, 11.0000, 12.5000]], grad_fn=<MulBackward0>)",
    ),
    "two suffixes wrap": (
        {"requires_grad": True, "grad_fn_name": "UnsafeViewBackward0"},
        np.arange(10.0),
        "tensor([0., 1., 2., 3., 4., 5., 6., 7., 8., 9.], dtype=torch.float64,\n"
        "       grad_fn=<UnsafeViewBackward0>)",
    ),
    "summary 2-d": (
        {"requires_grad": True},
        np.arange(2000.0, dtype=np.float32).reshape(40, 50),
        "tensor([[0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 4.7000e+01, 4.8000e+01,\n"
        "         4.9000e+01],\n"
        "        [5.0000e+01, 5.1000e+01, 5.2000e+01,  ..., 9.7000e+01, 9.8000e+01,\n"
        "         9.9000e+01],\n"
        "        [1.0000e+02, 1.0100e+02, 1.0200e+02,  ..., 1.4700e+02, 1.4800e+02,\n"
        "         1.4900e+02],\n"
        "        ...,\n"
        "        [1.8500e+03, 1.8510e+03, 1.8520e+03,  ..., 1.8970e+03, 1.8980e+03,\n"
        "         1.8990e+03],\n"
        "        [1.9000e+03, 1.9010e+03, 1.9020e+03,  ..., 1.9470e+03, 1.9480e+03,\n"
        "         1.9490e+03],\n"
        "        [1.9500e+03, 1.9510e+03, 1.9520e+03,  ..., 1.9970e+03, 1.9980e+03,\n"
        "         1.9990e+03]], requires_grad=True)",
    ),
    "suffix just fits": (
        {"grad_fn_name": "NNNNNNNNNNNNNNNNNNN"},
        np.arange(10, dtype=np.float32),
        "tensor([0., 1., 2., 3., 4., 5., 6., 7., 8., 9.], grad_fn=<NNNNNNNNNNNNNNNNNNN>)",
    ),
    "suffix one too long": (
        {"grad_fn_name": "NNNNNNNNNNNNNNNNNNNN"},
        np.arange(10, dtype=np.float32),
        "tensor([0., 1., 2., 3., 4., 5., 6., 7., 8., 9.],\n       grad_fn=<NNNNNNNNNNNNNNNNNNNN>)",
    ),
    "second suffix one too long": (
        {"grad_fn_name": "NNNNNNNNNNNNNNNNNNNNNNN"},
        np.arange(4.0),
        "tensor([0., 1., 2., 3.], dtype=torch.float64,\n       grad_fn=<NNNNNNNNNNNNNNNNNNNNNNN>)",
    ),
    "suffix one too long after a wrapped one": (
        {"device": "opencl:0", "grad_fn_name": "N" * 43},
        np.arange(10.0),
        "tensor([0., 1., 2., 3., 4., 5., 6., 7., 8., 9.], device='opencl:0',\n"
        "       dtype=torch.float64,\n"
        "       grad_fn=<NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN>)",
    ),
    "device": ({"device": "opencl:0"}, f32([1.5]), "tensor([1.5000], device='opencl:0')"),
    "all suffixes": (
        {"device": "opencl:0", "grad_fn_name": "AddBackward0"},
        np.zeros((0, 3)),
        "tensor([], device='opencl:0', size=(0, 3), dtype=torch.float64,\n"
        "       grad_fn=<AddBackward0>)",
    ),
    "subclass": ({"cls": "Mask"}, np.array([[1, 2], [3, 4]]), "Mask([[1, 2],\n      [3, 4]])"),
}

OPTIONS = {
    "precision": ({"precision": 2}, f32([1.23456, 2]), "tensor([1.23, 2.00])"),
    "precision 0": ({"precision": 0}, f32([1.5, 2]), "tensor([2, 2])"),
    "precision 10": (
        {"precision": 10},
        np.array([1 / 3]),
        "tensor([0.3333333333], dtype=torch.float64)",
    ),
    "sci on, whole": ({"sci_mode": True}, f32([1, 20]), "tensor([1.0000e+00, 2.0000e+01])"),
    "sci on, zeros": ({"sci_mode": True}, f32([0]), "tensor([0.])"),
    "sci off": ({"sci_mode": False}, f32([1e-7, 123456.5]), "tensor([     0.0000, 123456.5000])"),
    "threshold": ({"threshold": 5}, np.arange(10), "tensor([0, 1, 2,  ..., 7, 8, 9])"),
    "edgeitems": ({"threshold": 5, "edgeitems": 1}, np.arange(10), "tensor([0,  ..., 9])"),
    "edgeitems cover all": ({"threshold": 5}, np.arange(6), "tensor([0, 1, 2, 3, 4, 5])"),
    "edgeitems 0": ({"edgeitems": 0}, np.arange(2), "tensor([0, 1], size=(2,))"),
    "edgeitems 0, summary": (
        {"threshold": 5, "edgeitems": 0},
        np.arange(6, dtype=np.int32).reshape(2, 3),
        "tensor([...], size=(2, 3), dtype=torch.int32)",
    ),
    "edgeitems 0, summary 1-d": (
        {"threshold": 5, "edgeitems": 0},
        np.arange(6),
        "tensor([...], size=(6,))",
    ),
    "linewidth": (
        {"linewidth": 20},
        np.arange(10),
        "tensor([0, 1, 2, 3,\n        4, 5, 6, 7,\n        8, 9])",
    ),
    "linewidth too small": ({"linewidth": 1}, np.arange(3), "tensor([0,\n        1,\n        2])"),
    "profile short": (
        {"profile": "short"},
        np.linspace(0, 1, 1001),
        "tensor([0.00, 0.00,  ..., 1.00, 1.00], dtype=torch.float64)",
    ),
    "profile with override": (
        {"profile": "short", "precision": 3},
        f32([1 / 3]),
        "tensor([0.333])",
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    array, text = VALUES[name]
    assert tensor_repr(np.asarray(array)) == text


@pytest.mark.parametrize("name", SUFFIXES)
def test_suffixes(name):
    arguments, array, text = SUFFIXES[name]
    assert tensor_repr(array, **arguments) == text


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name):
    options, array, text = OPTIONS[name]
    set_printoptions(**options)
    assert tensor_repr(array) == text


def test_threshold_counts_elements():
    assert "..." not in tensor_repr(np.arange(1000))
    assert "..." in tensor_repr(np.arange(1001))
    set_printoptions(profile="full")
    assert "..." not in tensor_repr(np.arange(2000))


def test_each_call_sets_sci_mode_anew():
    set_printoptions(precision=2, sci_mode=True)
    assert tensor_repr(f32([1.5])) == "tensor([1.50e+00])"
    set_printoptions(linewidth=70)
    assert get_printoptions() == {
        "precision": 2,
        "threshold": 1000,
        "edgeitems": 3,
        "linewidth": 70,
        "sci_mode": None,
    }


def test_printoptions_restores_after_an_error():
    set_printoptions(precision=6, sci_mode=False)
    before = get_printoptions()
    with pytest.raises(ZeroDivisionError), printoptions(precision=1, sci_mode=True):
        assert tensor_repr(f32([0.25])) == "tensor([2.5e-01])"
        raise ZeroDivisionError
    assert get_printoptions() == before


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            {"profile": "long"},
            ValueError,
            "unknown profile 'long', expected one of default, short, full",
        ),
        ({"profile": "short", "precision": -1}, ValueError, "precision must be 0 or more, got -1"),
        ({"linewidth": 40, "edgeitems": -2}, ValueError, "edgeitems must be 0 or more, got -2"),
        ({"precision": 2.5}, TypeError, "integer"),
    ],
)
def test_wrong_options_change_nothing(wrong, error, message):
    before = get_printoptions()
    with pytest.raises(error, match=message):
        set_printoptions(**wrong)
    assert get_printoptions() == before


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (np.float32(3.14159), ".2f", "3.14"),
        (np.float32(0.1), "", "0.10000000149011612"),
        (np.float64(1e-7), "8.1e", " 1.0e-07"),
        (np.int64(42), "05d", "00042"),
        (np.int64(3), ".1f", "3.0"),
        (np.bool_(True), "", "True"),
    ],
)
def test_format_of_one_number(value, spec, text):
    assert tensor_format(np.asarray(value), spec) == text


def test_format_errors():
    with pytest.raises(TypeError, match=r"passed to Tensor.__format__.*'\.4f'.*shape \(1,\)"):
        tensor_format(f32([1]), ".4f")
    with pytest.raises(TypeError, match=r"passed to Parameter.__format__"):
        tensor_format(f32([1, 2]), ".4f", cls="Parameter")
    with pytest.raises(ValueError, match="Unknown format code 'd'"):
        tensor_format(np.asarray(1.5), "d")


@pytest.mark.parametrize("shape", [(10**6,), (1000, 1000), (7, 142_858), (100, 100, 100)])
def test_only_the_edges_are_formatted(shape, monkeypatch):
    formatted = 0
    cells = printing._cells

    def counting_cells(array, options):
        nonlocal formatted
        formatted += array.size
        return cells(array, options)

    monkeypatch.setattr(printing, "_cells", counting_cells)
    tensor_repr(np.ones(shape, np.float32))
    assert formatted == 6 ** len(shape)


def test_a_million_elements_print_quickly():
    array = np.ones((1000, 1000), np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        tensor_repr(array)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 5e-3


def random_array(rng, dtype, shape):
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    values = rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 10)
    if dtype.startswith("float"):
        if rng.random() < 0.3:
            values = np.round(values)
        if rng.random() < 0.3:
            values = values * 10.0 ** rng.integers(-3, 4, shape)
        if rng.random() < 0.3:
            values = np.where(
                rng.random(shape) < 0.3, rng.choice([nan, inf, -inf, 0.0, -0.0], shape), values
            )
        with np.errstate(over="ignore"):
            return np.asarray(values).astype(dtype)
    bounds = np.iinfo(dtype)
    return np.asarray(np.clip(values, bounds.min, bounds.max // 2)).astype(dtype)


def test_random_tensors_print_as_in_pytorch():
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # what importing another library warns about is not ours to judge
        torch = pytest.importorskip("torch")
    pick = random.Random(0).choice
    rng = np.random.default_rng(0)
    try:
        for _ in range(1000):
            shape = tuple(pick([0, 1, 2, 3, 7, 8, 20]) for _ in range(pick([0, 1, 1, 2, 2, 3])))
            dtype = pick(
                ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool"]
            )
            options = {
                "profile": pick(["default", "short", "full"]),
                "precision": pick([None, 0, 3, 8]),
                "threshold": pick([None, 0, 30]),
                "edgeitems": pick([None, 0, 1, 4]),
                "linewidth": pick([None, 20, 60, 120]),
                "sci_mode": pick([None, None, True, False]),
            }
            array = random_array(rng, dtype, shape)
            requires_grad = dtype.startswith("float") and pick([True, False])
            set_printoptions(**options)
            torch.set_printoptions(**options)
            expected = repr(torch.from_numpy(array).requires_grad_(requires_grad))
            assert tensor_repr(array, requires_grad=requires_grad) == expected, (array, options)
    finally:
        torch.set_printoptions(profile="default")
