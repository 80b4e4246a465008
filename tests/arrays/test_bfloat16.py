"""bfloat16: a dtype like the others. The arrays are ml_dtypes', imported when they are needed."""

import copy
import math
import pickle

import numpy as np
import pytest
from repository import python

import microtorch as torch

ml_dtypes = pytest.importorskip("ml_dtypes")
BF16 = np.dtype(ml_dtypes.bfloat16)
# the first numbers after torch.manual_seed(3), by torch 2.13
RAND = [0.0042724609375, 0.10546875, 0.28515625, 0.0269775390625]
RANDN = [0.8046875, 0.1748046875, 0.0888671875, -0.61328125]
RANDN16 = [-0.07666015625, 0.359375, -0.78125, 0.0712890625]
UNIFORM = [-0.98828125, -0.68359375, -0.142578125, -0.91796875]


def run(program):
    return python("-c", program)


def test_ml_dtypes_is_imported_when_the_first_array_needs_it():
    run("""
import sys
import microtorch as torch
assert torch.bfloat16.itemsize == 2 and torch.bfloat16.is_signed and torch.finfo(torch.bfloat16)
torch.ones(2).half() @ torch.ones(2).half()
torch.nn.Linear(2, 2).float()
assert "ml_dtypes" not in sys.modules
torch.ones(2).bfloat16()
assert "ml_dtypes" in sys.modules
""")


def test_without_ml_dtypes_the_error_says_what_to_install():
    run("""
import sys
sys.modules["ml_dtypes"] = None
import microtorch as torch
for make in (lambda: torch.ones(2).bfloat16(), lambda: torch.zeros(1, dtype=torch.bfloat16)):
    try:
        make()
    except ImportError as e:
        assert "pip install ml_dtypes" in str(e)
    else:
        raise AssertionError
try:
    with torch.autocast("cpu"):
        pass
except ImportError as e:
    assert "pip install ml_dtypes" in str(e)
assert torch.ones(2).half().sum().item() == 2
""")


def test_what_the_dtype_says_of_itself():
    d = torch.bfloat16
    assert repr(d) == "torch.bfloat16" and isinstance(d, torch.dtype) and d.is_floating_point
    assert not d.is_complex and pickle.loads(pickle.dumps(d)) is d and copy.deepcopy(d) is d
    assert repr(torch.finfo(d)) == (
        "finfo(resolution=0.01, min=-3.38953e+38, max=3.38953e+38, eps=0.0078125, "
        "smallest_normal=1.17549e-38, tiny=1.17549e-38, dtype=bfloat16)"
    )
    info = torch.finfo(d)
    for field in ("eps", "max", "min", "tiny"):
        assert getattr(info, field) == float(getattr(ml_dtypes.finfo(BF16), field))
    assert torch.finfo(torch.float16).resolution == 1e-3 and info.bits == 16
    with pytest.raises(TypeError, match="integer input"):
        torch.iinfo(d)
    with pytest.raises(AttributeError, match="bits"):
        d.bits  # noqa: B018


@pytest.mark.parametrize(
    "other, expected",
    [
        ("float16", "float32"), ("float32", "float32"), ("float64", "float64"),
        ("bfloat16", "bfloat16"), ("int64", "bfloat16"), ("uint8", "bfloat16"),
        ("bool", "bfloat16"),
    ],
)  # fmt: skip
def test_promotion(other, expected):
    other, expected = getattr(torch, other), getattr(torch, expected)
    assert torch.promote_types(torch.bfloat16, other) is expected
    assert torch.promote_types(other, torch.bfloat16) is expected
    x, y = torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=other)
    assert (x + y).dtype is (y * x).dtype is torch.result_type(x, y) is expected
    assert torch.cat((x, y)).dtype is expected


def test_promotion_with_what_has_no_dimensions():
    x = torch.ones(2, dtype=torch.bfloat16)
    assert (x + torch.tensor(1.0)).dtype is (x * 2.5).dtype is (1 / x).dtype is torch.bfloat16
    assert (torch.ones(2, dtype=torch.int64) * x.sum()).dtype is torch.bfloat16
    assert (torch.ones(2) + x.sum()).dtype is torch.float32
    assert torch.can_cast(torch.float64, torch.bfloat16)
    assert not torch.can_cast(torch.bfloat16, torch.int64)
    with pytest.raises(RuntimeError, match="can't be cast"):
        torch.ones(2, dtype=torch.int64).add_(x)


@pytest.mark.filterwarnings("ignore:overflow")
def test_creation_and_casts_round_once():
    values = [0.1, -2.7, 1 / 3, 3.4e38, 1e39, math.inf, 1e-40]
    with np.errstate(over="ignore"):
        expected = np.array(values, np.float32).astype(BF16).astype(np.float32)
    for t in (
        torch.tensor(values, dtype=torch.bfloat16), torch.tensor(values).bfloat16(),
        torch.tensor(values).to(torch.bfloat16), torch.tensor(values).type("torch.BFloat16Tensor"),
        torch.BFloat16Tensor(values), torch.tensor(values).type_as(torch.zeros(1).bfloat16()),
        torch.zeros(7, dtype=torch.bfloat16).copy_(torch.tensor(values)),
    ):  # fmt: skip
        assert t.dtype is torch.bfloat16
        np.testing.assert_array_equal(t.float().numpy(), expected)
    assert torch.tensor([1.9, -1.9]).bfloat16().int().tolist() == [1, -1]
    assert torch.full((2,), 0.1).bfloat16().tolist() == [0.10009765625] * 2
    assert torch.arange(5, dtype=torch.bfloat16).sum().item() == 10
    assert torch.ones(2, dtype=torch.bfloat16).half().dtype is torch.float16
    assert torch.empty(2, dtype=torch.bfloat16).type() == "torch.BFloat16Tensor"
    with pytest.raises(RuntimeError, match="without overflow"):
        torch.zeros(2, dtype=torch.bfloat16).fill_(1e39)


def test_beside_complex_numbers():
    x = torch.ones(2, dtype=torch.bfloat16)
    for other in (1j, torch.ones(2) * 1j, torch.ones((), dtype=torch.complex128)):
        assert (x * other).dtype == torch.complex64
    assert torch.bfloat16.to_complex() == torch.complex64
    assert (x * torch.ones(2, dtype=torch.complex128)).dtype == torch.complex128


def test_random_numbers_are_pytorchs():
    torch.manual_seed(3)
    assert torch.rand(4, dtype=torch.bfloat16).tolist() == RAND
    torch.manual_seed(3)
    assert torch.randn(4, dtype=torch.bfloat16).tolist() == RANDN
    torch.manual_seed(3)
    assert torch.randn(16, dtype=torch.bfloat16)[:4].tolist() == RANDN16
    torch.manual_seed(3)
    assert torch.empty(4, dtype=torch.bfloat16).uniform_(-1, 2).tolist() == UNIFORM
    torch.manual_seed(3)
    dropped = torch.nn.functional.dropout(torch.ones(4, dtype=torch.float16), 0.3)
    assert dropped.tolist() == [1.4287109375, 1.4287109375, 0.0, 1.4287109375]


def test_printing_and_numbers_out():
    x = torch.tensor([1.5, 0.1, -2.0], dtype=torch.bfloat16)
    assert repr(x) == "tensor([ 1.5000,  0.1001, -2.0000], dtype=torch.bfloat16)"
    assert x.tolist() == [1.5, 0.10009765625, -2.0] and x[1].item() == 0.10009765625
    assert type(x[0].item()) is float and float(x[0]) == 1.5 and f"{x[1]:.2f}" == "0.10"
    assert repr(x[:1].requires_grad_() * 2) == (
        "tensor([3.], dtype=torch.bfloat16, grad_fn=<MulBackward0>)"
    )
    for out in (lambda: x.detach().numpy(), lambda: np.asarray(x.detach())):
        with pytest.raises(TypeError, match="unsupported ScalarType BFloat16"):
            out()


def test_bits_are_seen_by_view():
    x = torch.tensor([1.0, -2.0], dtype=torch.bfloat16)
    assert x.view(torch.int16).tolist() == [0x3F80, -0x4000]
    assert torch.tensor([0x3F80], dtype=torch.int16).view(torch.bfloat16).item() == 1.0
    assert x.view(torch.float16).dtype is torch.float16
    x.view(torch.int16)[0] = 0x4000
    assert x.tolist() == [2.0, -2.0]


def test_files_and_copies_keep_it(tmp_path):
    x = torch.tensor([1.5, 0.1, -2.0], dtype=torch.bfloat16)
    p = torch.nn.Parameter(x.clone())
    torch.save({"x": x, "part": x[1:], "p": p, "dtype": torch.bfloat16}, tmp_path / "f.pt")
    found = torch.load(tmp_path / "f.pt")
    assert found["dtype"] is torch.bfloat16 and torch.equal(found["x"], x)
    found["part"][0] = 7
    assert found["x"].tolist() == [1.5, 7.0, -2.0]  # memory that was shared is shared
    for t in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), found["p"], torch.as_tensor(x)):
        assert t.dtype is torch.bfloat16 and torch.equal(t.detach(), x)
        assert (t + 1).dtype is torch.bfloat16 and (t @ t).item() == (x @ x).item()
    net = torch.nn.Linear(2, 2).bfloat16()
    other = torch.nn.Linear(2, 2, dtype=torch.bfloat16)
    other.load_state_dict(net.state_dict())
    assert torch.equal(net.weight, other.weight)


def test_ml_dtypes_arrays_are_taken_and_given():
    x = torch.tensor(np.array([1.5, 2.0], BF16))
    assert x.dtype is torch.bfloat16 and (x * 2).tolist() == [3.0, 4.0]


def test_as_the_default_dtype():
    try:
        torch.set_default_dtype(torch.bfloat16)
        assert torch.ones(2).dtype is torch.tensor([1.0]).dtype is torch.bfloat16
        assert (torch.arange(3) / 2).dtype is torch.bfloat16
        assert repr(torch.ones(1)) == "tensor([1.])"
    finally:
        torch.set_default_dtype(torch.float32)


def test_an_expanded_tensor_is_written_in_its_parts():
    for dtype in (torch.bfloat16, torch.float16):
        x = torch.zeros(3, dtype=dtype).expand(2, 3)
        x[0] += 1.5
        with pytest.warns(UserWarning, match="expanded"):
            x[[0, 1], 1] = torch.tensor(2.0, dtype=dtype)
        x[:, 0:0] = torch.ones(2, 0, dtype=dtype)
        assert x.tolist() == [[1.5, 2, 1.5]] * 2
