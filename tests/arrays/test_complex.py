"""complex64 and complex128: dtypes, promotion, random numbers, printing, conversions.

Tables, texts and random numbers were recorded from PyTorch 2.13.
"""

import copy
import io
import pickle

import numpy as np
import pytest

import microtorch as torch

NAMES = {
    "b": "bool", "u1": "uint8", "i8": "int64", "f2": "float16", "f4": "float32", "f8": "float64",
    "c8": "complex64", "c16": "complex128",
}  # fmt: skip
DTYPES = {short: getattr(torch, name) for short, name in NAMES.items()}

# the dtype of x * y; columns: y's dtype in the order of NAMES; -- is complex32, which is not there
WITH_DIMENSIONS = {
    "b": "b u1 i8 f2 f4 f8 c8 c16",
    "f2": "f2 f2 f2 f2 f4 f8 c8 c16",
    "f4": "f4 f4 f4 f4 f4 f8 c8 c16",
    "f8": "f8 f8 f8 f8 f8 f8 c16 c16",
    "c8": "c8 c8 c8 c8 c8 c16 c8 c16",
    "c16": "c16 c16 c16 c16 c16 c16 c16 c16",
}
SECOND_WITHOUT = {
    "i8": "i8 i8 i8 f2 f4 f8 c8 c16",
    "f2": "f2 f2 f2 f2 f2 f2 -- --",
    "f4": "f4 f4 f4 f4 f4 f4 c8 c8",
    "f8": "f8 f8 f8 f8 f8 f8 c16 c16",
    "c8": "c8 c8 c8 c8 c8 c8 c8 c8",
    "c16": "c16 c16 c16 c16 c16 c16 c16 c16",
}
WITH_1J = {"b": "c8", "u1": "c8", "i8": "c8", "f4": "c8", "f8": "c16", "c8": "c8", "c16": "c16"}


@pytest.mark.parametrize(("table", "shape"), [(WITH_DIMENSIONS, (2,)), (SECOND_WITHOUT, ())])
def test_promotion(table, shape):
    for first, row in table.items():
        for second, expected in zip(NAMES, row.split(), strict=True):
            x, y = torch.ones(2, dtype=DTYPES[first]), torch.ones(shape, dtype=DTYPES[second])
            if expected == "--":
                with pytest.raises(TypeError, match="complex32"):
                    torch.result_type(x, y)
                continue
            assert torch.result_type(x, y) is DTYPES[expected], (first, second)
            assert (x * y).dtype is DTYPES[expected], (first, second)


def test_promotion_with_python_numbers():
    for first, expected in WITH_1J.items():
        for shape in ((2,), ()):
            x = torch.ones(shape, dtype=DTYPES[first])
            for y in (x * 1j, 1j * x, x / (2 + 0j), x == 1j):
                assert y.dtype in (DTYPES[expected], torch.bool)
    # a complex number that equals a float is complex all the same, also after the float was used
    x = torch.ones(2)
    assert (x * 2.0).dtype is torch.float32 and (x * (2 + 0j)).dtype is torch.complex64
    assert (x * 2.0).dtype is torch.float32


def test_dtypes():
    assert torch.cfloat is torch.complex64 and torch.cdouble is torch.complex128
    assert torch.complex64.is_complex and not torch.complex64.is_floating_point
    assert torch.complex64.is_signed and torch.complex64.itemsize == 8
    assert torch.complex64.to_real() is torch.float32 and torch.int64.to_real() is torch.int64
    assert torch.float64.to_complex() is torch.complex128
    assert torch.int64.to_complex() is torch.complex64
    assert torch.finfo(torch.complex128).eps == torch.finfo(torch.float64).eps
    assert torch.promote_types(torch.complex64, torch.float64) is torch.complex128
    with pytest.raises(TypeError, match="only floating-point types are supported"):
        torch.set_default_dtype(torch.complex64)
    z = torch.tensor([1 + 2j])
    assert z.is_complex() and torch.is_complex(z) and not torch.is_floating_point(z)
    assert z.type() == "torch.ComplexFloatTensor"
    assert z.type("torch.ComplexDoubleTensor").dtype is torch.complex128
    assert z.cdouble().dtype is torch.complex128 and torch.ones(2).cfloat().is_complex()
    assert pickle.loads(pickle.dumps(torch.complex64)) is torch.complex64


def test_the_default_dtype_decides():
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.tensor([1j]).dtype is torch.complex128
        assert torch.full((2,), 1j).dtype is torch.complex128
        assert repr(torch.tensor([1j])) == "tensor([0.+1.j])"
    finally:
        torch.set_default_dtype(torch.float32)


# ---- making them ---------------------------------------------------------------------------------
def test_creation():
    assert torch.tensor([1, 2j, True]).tolist() == [1, 2j, 1]
    assert torch.tensor([1 + 2j]).dtype is torch.complex64
    assert torch.tensor(np.array([1j])).dtype is torch.complex128
    assert torch.tensor([[1], [2]], dtype=torch.complex128).tolist() == [[1], [2]]
    assert torch.full((2,), 1 + 2j).tolist() == [1 + 2j] * 2
    assert torch.full((2,), 1 + 0j, dtype=torch.float32).tolist() == [1, 1]
    assert torch.eye(2, dtype=torch.cfloat).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(NotImplementedError, match="arange_cpu"):
        torch.arange(3, dtype=torch.cfloat)
    assert torch.linspace(0, 1j, 3).tolist() == [0, 0.5j, 1j]
    assert torch.zeros(2, dtype=complex).dtype is torch.complex128
    assert torch.ones_like(torch.tensor([1j])).tolist() == [1]
    assert torch.tensor([1j]).new_tensor([2]).dtype is torch.complex64


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: torch.tensor([1j], dtype=torch.float32), TypeError, "must be real number"),
        (lambda: torch.full((2,), 1j, dtype=torch.float32), RuntimeError, "without overflow"),
        (lambda: torch.arange(1j), RuntimeError, "without overflow"),
        (lambda: torch.zeros(2).fill_(1j), RuntimeError, "without overflow"),
        (lambda: torch.zeros(2).add_(torch.tensor([1j])), RuntimeError, "can't be cast"),
        (lambda: float(torch.tensor(1j)), RuntimeError, "type double without overflow"),
        (lambda: int(torch.tensor(1j)), RuntimeError, "without overflow"),
        (lambda: torch.tensor([1j]).abs_(), RuntimeError, "In-place abs"),
        (lambda: torch.Scalar(1j), TypeError, "takes a number"),
        (lambda: torch.ones(2, dtype=torch.float16) * 1j, TypeError, "complex32"),
        (lambda: torch.ones(2).imag, RuntimeError, "imag is not implemented"),
        (lambda: torch.view_as_real(torch.ones(2)), RuntimeError, "only supported for complex"),
        (lambda: torch.view_as_complex(torch.ones(3)), RuntimeError, "last dimension of size 2"),
        (lambda: torch.view_as_complex(torch.ones(2, 2).T), RuntimeError, "stride 1"),
        (lambda: torch.complex(torch.ones(1), torch.ones(1).double()), RuntimeError, "scalar type"),
        (lambda: torch.polar(torch.ones(1), torch.ones(1).long()), RuntimeError, "Half, Float"),
    ],
)
def test_errors(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_random_numbers_are_pytorchs():
    torch.manual_seed(0)
    assert torch.randn(3, dtype=torch.complex64).tolist() == [
        1.0896488428115845 - 0.20748557150363922j, -1.5406367778778076 + 0.40194159746170044j,
        -0.7668731212615967 - 0.9889562726020813j,
    ]  # fmt: skip
    assert torch.randn(20, dtype=torch.complex128)[-2:].tolist() == [
        0.03364170385299187 - 0.27263831139221545j, -0.19447905642387153 + 0.6269135395671928j,
    ]  # fmt: skip
    assert torch.rand(2, dtype=torch.complex64).tolist() == [
        0.020375549793243408 + 0.20364665985107422j, 0.3748350739479065 + 0.2564433217048645j,
    ]  # fmt: skip
    filled = torch.zeros(2, dtype=torch.complex64).normal_(1, 2)
    expected = [
        0.35173043608665466 + 0.5248411297798157j, -1.2202956676483154 + 2.7416045665740967j,
    ]  # fmt: skip
    np.testing.assert_allclose(filled.numpy(), expected, rtol=1e-6)
    many = torch.randn(10000, dtype=torch.complex64)
    assert abs(many.var().item() - 1) < 0.05 and abs(many.real.var().item() - 0.5) < 0.03


# ---- back and forth ------------------------------------------------------------------------------
def test_numpy_pickle_files():
    z = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    array = np.array([1j, 2])
    shared = torch.from_numpy(array)
    array[0] = 5
    assert shared[0].item() == 5 and torch.tensor([1j]).numpy().dtype == np.complex64
    file = io.BytesIO()
    torch.save({"z": z, "number": 1 + 2j}, file)
    file.seek(0)
    loaded = torch.load(file)
    assert loaded["number"] == 1 + 2j
    for other in (pickle.loads(pickle.dumps(z)), copy.deepcopy(z), loaded["z"]):
        assert torch.equal(other, z) and other.requires_grad and other.dtype is z.dtype
    assert complex(z[0].detach()) == 1 + 2j and z[0].item() == 1 + 2j and bool(z[0])
    assert (1 + 2j) in z and z.tolist() == [1 + 2j, 3 - 1j]


def test_to_real_warns_and_takes_the_real_part():
    z = torch.tensor([1 + 2j])
    with pytest.warns(UserWarning, match="discards the imaginary part"):
        assert z.to(torch.float32).tolist() == [1]
    with pytest.warns(UserWarning, match="discards the imaginary part"):
        assert torch.zeros(1).copy_(z).tolist() == [1]
    assert z.bool().tolist() == [True]


# ---- printing ------------------------------------------------------------------------------------
def made(name):
    c = torch.tensor
    return {
        "one": lambda: c([1 + 2j, 3 - 1j]),
        "zero": lambda: c(1j),
        "wide": lambda: c([1e-7 + 2j, 3 - 1e5j]),
        "double": lambda: c([[1 + 2j, 0], [3, -4j]], dtype=torch.complex128),
        "frac": lambda: c([0.5 + 0.25j, -1.5 - 2.125j]),
        "special": lambda: c([complex("nan"), complex("inf"), complex(0.0, -0.0)]),
        "empty": lambda: torch.zeros(0, dtype=torch.complex64),
        "rows": lambda: torch.zeros(2, 0, dtype=torch.complex64),
        "long": lambda: torch.arange(30) * (1 + 0.5j),
        "big": lambda: torch.arange(1200).reshape(30, 40) * (1 - 2j),
        "three": lambda: torch.arange(8).reshape(2, 2, 2) * 1j,
        "neg": lambda: c([-1.5 - 2j, 100 + 1e-3j]),
        "grad": lambda: c([1 + 2j], requires_grad=True),
        "node": lambda: c([1 + 2j], requires_grad=True) * 2,
    }[name]()


TEXTS = {
    "one": "tensor([1.+2.j, 3.-1.j])",
    "zero": "tensor(0.+1.j)",
    "wide": "tensor([1.0000e-07+2.0000e+00j, 3.0000e+00-1.0000e+05j])",
    "double": "tensor([[1.+2.j, 0.+0.j],\n        [3.+0.j, -0.-4.j]], dtype=torch.complex128)",
    "frac": "tensor([ 0.5000+0.2500j, -1.5000-2.1250j])",
    "special": "tensor([nan+0.j, inf+0.j, 0.-0.j])",
    "empty": "tensor([], dtype=torch.complex64)",
    "rows": "tensor([], size=(2, 0), dtype=torch.complex64)",
    "long": "tensor([ 0.+0.0000j,  1.+0.5000j,  2.+1.0000j,  3.+1.5000j,  4.+2.0000j,\n"
    "         5.+2.5000j,  6.+3.0000j,  7.+3.5000j,  8.+4.0000j,  9.+4.5000j,\n"
    "        10.+5.0000j, 11.+5.5000j, 12.+6.0000j, 13.+6.5000j, 14.+7.0000j,\n"
    "        15.+7.5000j, 16.+8.0000j, 17.+8.5000j, 18.+9.0000j, 19.+9.5000j,\n"
    "        20.+10.0000j, 21.+10.5000j, 22.+11.0000j, 23.+11.5000j, 24.+12.0000j,\n"
    "        25.+12.5000j, 26.+13.0000j, 27.+13.5000j, 28.+14.0000j, 29.+14.5000j])",
    "three": "tensor([[[0.+0.j, 0.+1.j],\n         [0.+2.j, 0.+3.j]],\n\n"
    "        [[0.+4.j, 0.+5.j],\n         [0.+6.j, 0.+7.j]]])",
    "neg": "tensor([ -1.5000-2.0000e+00j, 100.0000+1.0000e-03j])",
    "grad": "tensor([1.+2.j], requires_grad=True)",
    "node": "tensor([2.+4.j], grad_fn=<MulBackward0>)",
}


@pytest.mark.parametrize("name", TEXTS)
def test_printing(name):
    assert repr(made(name)) == TEXTS[name]


def test_printing_of_a_large_tensor():
    text = repr(made("big"))
    assert text.startswith(
        "tensor([[0.0000e+00+0.0000e+00j, 1.0000e+00-2.0000e+00j, 2.0000e+00-4.0000e+00j,\n"
        "          ..., 3.7000e+01-7.4000e+01j, 3.8000e+01-7.6000e+01j,\n"
        "         3.9000e+01-7.8000e+01j],\n"
    )
    assert text.count("\n") == 18


def test_format():
    assert f"{torch.tensor(1.5 + 2j):.2f}" == "1.50+2.00j"


@pytest.mark.parametrize("alpha", [0.5, 2, 1j])
def test_a_step_of_gradient_descent(alpha):
    x, g = torch.tensor([1 + 2j, 3.0]), torch.tensor([2.0, 1 - 1j])
    for name, sign in (("add", 1), ("sub", -1)):
        written = x.clone()
        assert getattr(written, f"{name}_")(g, alpha=alpha) is written
        torch.testing.assert_close(written, x + sign * alpha * g)
        torch.testing.assert_close(getattr(x, name)(g, alpha=alpha), written)
