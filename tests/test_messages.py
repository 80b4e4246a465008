"""Errors of the library say on which line of the user's program they happened.

`errors.message` puts that line into the text. So no exception is made from a bare string here.
"""

import ast
from pathlib import Path

import pytest

import microtorch as torch
from microtorch import nn, optim
from microtorch.utils.data import DataLoader, TensorDataset

PACKAGE = Path(torch.__file__).parent
FOLDERS = ("nn", "optim", "utils", "files", "vision")
FILES = sorted(path for folder in FOLDERS for path in (PACKAGE / folder).rglob("*.py"))
FILES += [path for path in PACKAGE.rglob("generator.py") if "opencl" not in path.parts]
# hasattr asks for AttributeError in silence, and its text has one line as Python's own;
# a KeyError shows the repr of its text, in which lines are not broken
BARE = {"AttributeError", "KeyError", "StopIteration"}


def bare_strings(path):
    """(line, text) of each exception made from a bare string."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
            continue
        made, arguments = ast.unparse(node.exc.func), node.exc.args
        is_class = made[0].isupper() and made not in BARE
        if is_class and arguments and isinstance(arguments[0], (ast.Constant, ast.JoinedStr)):
            if made == "NotImplementedError" and is_abstract(path, node):
                continue
            yield node.lineno, ast.unparse(node.exc)


def is_abstract(path, node):
    """Is this the only statement of a method that subclasses define?"""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            body = [s for s in function.body if not isinstance(s, ast.Expr)]
            if len(body) == 1 and body[0].lineno == node.lineno:
                return True
    return False


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_exception_is_made_from_a_bare_string(path):
    assert not list(bare_strings(path))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: torch.randint(5, 2, (3,)), RuntimeError),
        (lambda: torch.rand(2).uniform_(3, 1), RuntimeError),
        (lambda: torch.manual_seed(2**70), ValueError),
        (lambda: nn.Dropout(2.0), ValueError),
        (lambda: nn.Linear(2, 3).load_state_dict({}), RuntimeError),
        (lambda: nn.init.eye_(torch.zeros(3)), ValueError),
        (lambda: nn.functional.one_hot(torch.tensor([-1])), RuntimeError),
        (lambda: nn.Sequential(nn.ReLU), TypeError),
        (lambda: nn.LSTM(2, 3)(torch.zeros(1)), ValueError),
        (lambda: optim.SGD([], 0.1), ValueError),
        (lambda: optim.Adam([torch.zeros(1)], betas=(2, 0)), ValueError),
        (lambda: optim.lr_scheduler.ConstantLR(optim.SGD([torch.zeros(1)]), 2.0), ValueError),
        (lambda: DataLoader([1], batch_size=0), ValueError),
        (lambda: TensorDataset(torch.zeros(2), torch.zeros(3)), AssertionError),
        (lambda: torch.load(3), TypeError),
    ],
)
def test_the_line_of_the_user(call, error):
    with pytest.raises(error, match=f"at {__file__}, line {call.__code__.co_firstlineno}, in "):
        call()


class NoSuper(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (NoSuper, AttributeError, r"super\(\).__init__\(\) comes first in NoSuper"),
        (lambda: optim.SGD(nn.Linear(2, 2)), TypeError, r"SGD\(model.parameters\(\)"),
        (lambda: nn.MSELoss(torch.ones(3), torch.ones(3)), RuntimeError, "ambiguous(?s:.*)call it"),
        (lambda: torch.stack([torch.ones(2), torch.ones(3)]), RuntimeError,
         r"got \[2\] at entry 0 and \[3\] at entry 1"),
        (lambda: torch.cat([torch.ones(2, 3), torch.ones(3, 2)]), RuntimeError,
         "dimension 0. Expected size 3 but got size 2 for tensor number 1"),
        (lambda: torch.cat([torch.ones(2, 3), torch.ones(3)]), RuntimeError, "got 2 and 1"),
        (lambda: torch.ones(3)[1.5], IndexError, r"\(got float\)"),
        (lambda: torch.tensor([1, None]), RuntimeError, "dtype of NoneType"),
        (lambda: torch.ones(3, requires_grad=True).backward(), RuntimeError, "a leaf"),
    ],
)  # fmt: skip
def test_what_beginners_mistype(call, error, says):
    with pytest.raises(error, match=says):
        call()
