"""Errors teach: PyTorch's class; op, shapes, dtypes, the user's line and a fix in the message."""
import importlib
import pickle
import sys

import pytest

import microtorch as torch
from microtorch import Scalar, nn
from microtorch.base import errors

F = nn.functional


def ones(*size, **options):
    return torch.ones(*size, **options)


# what is done, the class, and what the message must say (in this order)
CASES = {
    "shapes that do not broadcast": (
        lambda: ones(2, 3) + ones(4), RuntimeError,
        ["The size of tensor a (3) must match the size of tensor b (4) at non-singleton "
         "dimension 1", "add", "(2, 3)", "(4,)", "fix"],
    ),
    "a missing unsqueeze": (
        lambda: ones(2, 3) * ones(2), RuntimeError,
        ["must match", "mul", "unsqueeze(-1)", "(2, 1)"],
    ),
    "a transposed operand": (
        lambda: ones(2, 3) - ones(3, 2), RuntimeError, ["sub", "try b.T"],
    ),
    "a matrix product": (
        lambda: ones(2, 3) @ ones(2, 3), RuntimeError,
        ["mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)", "matmul", "3 ≠ 2",
         "transpose the right operand"],
    ),
    "a layer with another number of features": (
        lambda: nn.Linear(3, 4)(ones(2, 5)), RuntimeError,
        ["mat1 and mat2 shapes cannot be multiplied (2x5 and 3x4)", "(2, 5)", "(4, 3)",
         "in_features=5", "Linear(in_features=3"],
    ),
    "dtypes of a matrix product": (
        lambda: ones(2, 2) @ ones(2, 2, dtype=torch.float64), RuntimeError,
        ["expected m1 and m2 to have the same dtype, but got: float != double", "matmul",
         "x.to(y.dtype)"],
    ),
    "dtype of a layer's input": (
        lambda: nn.Linear(3, 4)(ones(2, 3).long()), RuntimeError,
        ["mat1 and mat2 must have the same dtype, but got Long and Float", "int64 (2, 3)"],
    ),
    "dtype of a layer's weight": (
        lambda: nn.functional.linear(ones(2, 3), ones(4, 3).double(), ones(4)), RuntimeError,
        ["self and mat2 must have the same dtype, but got Float and Double", "float64 (4, 3)"],
    ),
    "dtype of a layer without a bias": (
        lambda: nn.Linear(3, 4, bias=False)(ones(2, 3).double()), RuntimeError,
        ["expected m1 and m2 to have the same dtype, but got: double != float"],
    ),
    "a mean of integers": (
        lambda: torch.arange(3).mean(), RuntimeError,
        ["mean(): could not infer output dtype", "Got: Long", "x.float()"],
    ),
    "subtracting booleans": (
        lambda: torch.tensor([True]) - torch.tensor([True]), RuntimeError,
        ["Subtraction", "operator", "bool (1,)"],
    ),
    "a class that does not exist": (
        lambda: F.cross_entropy(ones(2, 3), torch.tensor([0, 5])), IndexError,
        ["Target 5 is out of bounds", "classes 0..2", "count from 0"],
    ),
    "a batch of another size": (
        lambda: F.cross_entropy(ones(2, 3), torch.tensor([0, 1, 2])), ValueError,
        ["Expected input batch_size (2) to match target batch_size (3)"],
    ),
    "backward on several elements": (
        lambda: (ones(3, requires_grad=True) * 2).backward(), RuntimeError,
        ["grad can be implicitly created only for scalar outputs", "float32 (3,)", "MulBackward0",
         "loss.mean()"],
    ),
    "backward without gradient": (
        lambda: (ones(1) * 2).backward(), RuntimeError,
        ["element 0 of tensors does not require grad and does not have a grad_fn",
         "requires_grad=True"],
    ),
    "integers that require gradient": (
        lambda: torch.tensor([1, 2], requires_grad=True), RuntimeError,
        ["floating point", "int64 (2,)", "x.float()"],
    ),
    "a written leaf": (
        lambda: ones(3, requires_grad=True).mul_(2), RuntimeError,
        ["a leaf Variable that requires grad is being used in an in-place operation",
         "mul_ on float32 (3,)", "torch.no_grad()"],
    ),
    "a written part of a leaf": (
        lambda: ones(3, requires_grad=True).__setitem__(0, 2), RuntimeError,
        ["a view of a leaf Variable that requires grad", "copy_ on float32 ()"],
    ),
    "numpy of a tensor with gradient": (
        lambda: ones(1, requires_grad=True).numpy(), RuntimeError, ["tensor.detach().numpy()"],
    ),
    "a device that is not there": (
        lambda: ones(2, device="cuda"), RuntimeError,
        ["device 'cuda' is not available", "torch.cuda.is_available()"],
    ),
    "moving a model there": (
        lambda: nn.Linear(1, 1).to("cuda:0"), RuntimeError, ["device 'cuda:0' is not available"],
    ),
    "a device that does not exist": (
        lambda: ones(2).to("cudda"), RuntimeError,
        ["device type at start of device string: cudda", "Did you mean 'cuda'"],
    ),
    "ragged lists": (
        lambda: torch.tensor([[1, 2], [3]]), ValueError,
        ["expected sequence of length 2 at dim 1 (got 1)", "[[1, 2], [3]]"],
    ),
    "lists of mixed depth": (lambda: torch.tensor([1, [2]]), TypeError, ["at dim 1"]),
    "a string": (lambda: torch.tensor("abc"), TypeError, ["invalid data type 'str'"]),
    "a list of strings": (lambda: torch.tensor(["a"]), ValueError, ["too many dimensions 'str'"]),
    "None": (lambda: torch.tensor(None), RuntimeError, ["Could not infer dtype of NoneType"]),
    "an integer of 70 bits": (
        lambda: torch.tensor(2**70), ValueError,
        ["Overflow when unpacking long"]),
    "a tensor and a string": (lambda: ones(2) + "a", TypeError, ["add", "float32 (2,), str"]),
    "a tensor and None": (lambda: ones(2) * None, TypeError, ["mul", "NoneType"]),
    "cat": (
        lambda: torch.cat([ones(2, 2), ones(3, 3)], 1), RuntimeError,
        ["Sizes of tensors must match except in dimension 1", "(3, 3)"],
    ),
    "cat of a number": (
        lambda: torch.cat([ones(2), 3]), TypeError,
        ["expected Tensor as element 1", "int"]),
    "stack": (lambda: torch.stack([ones(2), ones(3)]), RuntimeError, ["stack", "(2,)", "(3,)"]),
    "view": (
        lambda: ones(6).view(4, 2), RuntimeError,
        ["shape '[4, 2]' is invalid for input of size 6", "-1"]),
    "a dimension": (
        lambda: ones(2, 3).sum(5), IndexError,
        ["expected to be in range of [-2, 1], but got 5", "sum()"]),
    "expand": (lambda: ones(2, 3).expand(4, 3), RuntimeError,
        ["The expanded size of the tensor (4) must match the existing size (2)"]),
    "an index": (
        lambda: ones(3)[5], IndexError,
        ["index 5 is out of bounds for dimension 0 with size 3"]),
    "too many indices": (
        lambda: ones(3)[1, 2], IndexError,
        ["too many indices for tensor of dimension 1", "(3,)"]),
    "einsum": (
        lambda: torch.einsum("ij,jk->ik", ones(2, 3), ones(2, 3)), RuntimeError,
        ["einsum", "ij,jk->ik"]),
    "item of several": (lambda: ones(2).item(), RuntimeError,
        ["a Tensor with 2 elements cannot be converted to Scalar", ".tolist()"]),
    "truth of several": (lambda: bool(ones(2)), RuntimeError,
        ["Boolean value of Tensor with more than one value is ambiguous", ".any()"]),
    "a singular matrix": (
        lambda: torch.linalg.inv(ones(2, 2)), RuntimeError,
        ["linalg.inv", "singular", "(2, 2)"]),
    "an empty optimizer": (lambda: torch.optim.SGD([], lr=1), ValueError, ["empty parameter list"]),
    "a negative size": (lambda: torch.zeros(-1), RuntimeError, ["negative dimension -1"]),
    "a size that is no integer": (
        lambda: torch.zeros(2.5), TypeError,
        ["zeros(): argument 'size' must be tuple of ints", "float"]),
    "a dtype as a string": (lambda: torch.zeros(2, dtype="float32"), TypeError,
        ["dtype must be a torch.dtype, not str", "torch.float32"]),
    "a mask of floats": (
        lambda: ones(2).masked_fill(ones(2), 0), RuntimeError,
        ["boolean masks", "mask.bool()"]),
    "an index of floats": (lambda: ones(2, 2).gather(1, ones(2, 2)), RuntimeError,
        ["Expected dtype int32/int64 for index", "index.long()"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    action, kind, parts = CASES[case]
    with pytest.raises(kind) as e:
        action()
    text, start = str(e.value), 0
    for part in parts:
        assert part in text[start:], f"{part!r} is not (or not in this place) in:\n{text}"
        start = text.index(part, start)


def test_the_users_line_is_named():
    line = sys._getframe().f_lineno + 2
    with pytest.raises(RuntimeError) as e:
        ones(2, 3).relu().add(ones(4))
    assert f"at {__file__}, line {line}, in test_the_users_line_is_named" in str(e.value)


def test_the_line_of_forward_is_named_by_backward():
    x = ones(3, requires_grad=True)
    line = sys._getframe().f_lineno + 1
    y = x.exp()
    y += 1
    with pytest.raises(RuntimeError, match=rf"ExpBackward0, made at test_errors.py:{line}"):
        y.sum().backward()


def test_classes_are_pytorchs():
    for ours, theirs in ((errors.ShapeError, RuntimeError), (errors.DeviceError, RuntimeError),
                         (errors.GraphError, RuntimeError),
                         (errors.InplaceError, RuntimeError), (errors.DTypeError, TypeError),
                         (errors.DimError, IndexError)):  # fmt: skip
        assert issubclass(ours, theirs)


@pytest.mark.parametrize(
    ("owner", "misspelt", "meant"),
    [
        (torch, "zeross", "zeros"), (torch, "flaot32", "float32"), (torch, "lianlg", "linalg"),
        (torch, "maual_seed", "manual_seed"),
        (torch.nn, "Lineer", "Linear"), (torch.nn, "Relu", "ReLU"),
        (torch.nn.functional, "rellu", "relu"),
        (torch.nn.init, "xavier_unifrom_", "xavier_uniform_"),
        (torch.optim, "SDG", "SGD"), (torch.optim.lr_scheduler, "StepLr", "StepLR"),
        (torch.autograd, "gradd", "grad"),
        (torch.utils.data, "DataLaoder", "DataLoader"), (torch.linalg, "slove", "solve"),
        (torch.cuda, "is_availabel", "is_available"),
        (torch.testing, "assert_closee", "assert_close"), (torch.special, "expti", "expit"),
    ],
    ids=str,
)  # fmt: skip
def test_misspelt_names(owner, misspelt, meant):
    with pytest.raises(AttributeError, match=rf"'{misspelt}'.*Did you mean '{meant}'"):
        getattr(owner, misspelt)


@pytest.mark.parametrize(
    ("owner", "misspelt", "meant"),
    [(torch.ones(2), "rehsape", "reshape"), (torch.ones(2), "requires_gard", "requires_grad"),
     (Scalar(1.0), "tanhh", "tanh")],
    ids=str,
)
def test_misspelt_names_of_tensors(owner, misspelt, meant, capsys):
    """Python itself offers the nearest name where it prints the error: __getattr__ is slow."""
    with pytest.raises(AttributeError, match=misspelt) as caught:
        getattr(owner, misspelt)
    sys.__excepthook__(caught.type, caught.value, caught.tb)
    assert f"Did you mean: '{meant}'?" in capsys.readouterr().err


def test_misspelt_names_of_a_module():
    with pytest.raises(AttributeError, match=r"wieght.*Did you mean.*weight"):
        nn.Linear(1, 1).wieght  # noqa: B018


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("masked", "torch.where"), ("overrides", "as_subclass"), ("_functorch", "torch.compile"),
        ("nn.quantized", "8 bits"), ("nn.attention.flex_attention", "attn_mask"),
        ("testing._internal", "assert_close"), ("utils.collect_env", "doctor"),
    ],
)  # fmt: skip
def test_modules_that_are_out_of_reach_say_what_to_do_instead(path, words):
    """Also below a module that is one file here, and has no folder to look in."""
    said = rf"torch.{path} is part of PyTorch(.|\n)*fix: (.|\n)*{words}"
    with pytest.raises(ModuleNotFoundError, match=said):
        importlib.import_module(f"microtorch.{path}")


@pytest.mark.parametrize(
    ("name", "words"),
    [("to_sparse_csr", "sparse_coo_tensor"), ("int_repr", "8 bits"), ("to_mkldnn", "layout")],
)
def test_methods_that_are_out_of_reach_are_none_and_say_so(name, words):
    assert not hasattr(torch.Tensor, name) and not hasattr(torch.ones(1), name)
    said = rf"torch.Tensor.{name} is part of PyTorch(.|\n)*{words}"
    with pytest.raises(AttributeError, match=said):
        getattr(torch.ones(1), name)


def test_what_pytorch_has_and_microtorch_has_not():
    with pytest.raises(
        AttributeError, match=r"torch.nested is part of PyTorch, but not of microtorch"
    ):
        torch.nested  # noqa: B018
    for name in ("quantize_per_tensor", "qint8"):
        assert not hasattr(torch, name)
        with pytest.raises(AttributeError, match=f"torch.{name} is part of PyTorch(.|\n)*8 bits"):
            getattr(torch, name)
    with pytest.raises(AttributeError):
        torch.__wrapped__  # noqa: B018


def test_nearest_is_silent_about_nonsense():
    assert errors.nearest("qqqq", ["zeros", "ones"]) == ""


@pytest.mark.parametrize("owner", [nn.Linear(2, 2), nn, torch, torch.ones(2)], ids=str)
def test_the_nearest_name_is_looked_for_only_when_the_message_is_read(owner, monkeypatch):
    """``hasattr`` is asked in loops over modules: it must not compare hundreds of names."""
    asked = []
    monkeypatch.setattr(errors, "nearest", lambda name, known: asked.append(name) or "")
    assert not hasattr(owner, "nothing_like_it") and not asked


def test_an_unknown_name_crosses_processes():
    with pytest.raises(AttributeError) as caught:
        nn.Linear(1, 1).wieght  # noqa: B018
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is AttributeError and str(copy) == str(caught.value)
