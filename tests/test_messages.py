"""Errors of the library say on which line of the user's program they happened.

`errors.message` puts that line into the text. So no exception is made from a bare string here.
"""

import ast
import copy
import pickle
import traceback
from pathlib import Path

import numpy
import pytest

import microtorch as torch
from microtorch import nn, optim
from microtorch.utils.data import DataLoader, TensorDataset

PACKAGE = Path(torch.__file__).parent
FOLDERS = ("nn", "optim", "utils", "files", "vision", "distributions")
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


class NoSuperCalled(nn.Module):
    def __init__(self):
        pass

    def forward(self, x):
        return x


class Misspelt(nn.Module):
    def foward(self, x):
        return x


def state(*names):
    """The state of nn.Linear(2, 1), under these names."""
    return dict(zip(names, nn.Linear(2, 1).state_dict().values(), strict=True))


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2


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
        (lambda: nn.Conv2d(3, 8), TypeError, r"^Conv2d.__init__\(\) missing"),
        (lambda: nn.GRU(3, 4).eval(1), TypeError, r"^Module.eval\(\) takes"),
        (lambda: nn.Linear(2, 2) + torch.ones(2), TypeError, "fix: call it"),
        (lambda: nn.Linear(4, 1)(nn.LSTM(3, 4)(torch.ones(2, 2, 3))), TypeError, "out, state ="),
        (lambda: torch.ones(2) * torch.ones(2).grad, TypeError, r"\.grad before backward"),
        (lambda: torch.ones(2) + "1", TypeError, r"float\(text\)"),
        (lambda: nn.Sequential([nn.ReLU()]), TypeError, r"nn.Sequential\(\*layers\)"),
        (lambda: nn.Sequential(nn.ReLU), TypeError, r"^ReLU is not a Module(?s:.*)ReLU\("),
        (lambda: nn.Sequential(torch.relu), TypeError, r"^relu is not a Module(?s:.*)relu\(x\)"),
        (lambda: NoSuperCalled()(1), AttributeError, r"is not made yet. super\(\).__init__\(\)"),
        (lambda: torch.distributions.Categorical(logits=torch.ones(2) / 0 * 0), ValueError,
         r"parameter logits(?s:.*)test_messages.py(?s:.*)fix: torch.autograd.set_detect_anomaly"),
        (lambda: torch.distributions.Normal(0.0, 1.0).log_prob(1), ValueError, r"tensor\(value\)"),
        (lambda: len(torch.ones(())), TypeError, r"len\(\) of a 0-d(?s:.*)x.item\(\)"),
        (lambda: torch.from_numpy([1]), TypeError, r"\(got list\)(?s:.*)torch.tensor\(data\)"),
        (lambda: iter(DataLoader([1])).next(), AttributeError, r"fix: next\(iterator\)"),
        (lambda: torch.eye(2).symeig(), AttributeError, "fix: torch.linalg.eigh"),
        (lambda: nn.MSELoss().backward(), AttributeError,
         r"no attribute 'backward'\n  fix: .*call it first: MSELoss\(...\)\(input\).backward"),
        (lambda: nn.Sequential().add(nn.ReLU()), AttributeError, "fix: .append"),
        (lambda: torch.ones(1).astype(float), AttributeError, r"'astype'\n  fix: x.to\(dtype"),
        (lambda: torch.ones(1).copy(), AttributeError, r"fix: x.clone\(\)"),
        (lambda: torch.array([1]), AttributeError, r"no attribute 'array'\n  fix: torch.tensor\("),
        (lambda: nn.Dense(1, 1), AttributeError, r"fix: nn.Linear\("),
        (lambda: torch.ones(2, 3).repeat(2), RuntimeError, r"\(2, 3\).repeat\(2\)(?s:.*)\(1, 2\)"),
        (lambda: torch.ones(2, 3).expand(4, 3), RuntimeError, r"fix: .* of size 1"),
        (lambda: torch.ones(2, 3).dot(torch.ones(3)), RuntimeError, "3,\\)\n(?s:.*)fix: a @ b"),
        (lambda: torch.linalg.inv(torch.ones(2, 3)), RuntimeError, "fix: torch.linalg.pinv"),
        (lambda: torch.linalg.solve(torch.eye(2), torch.ones(3, 1)), RuntimeError, "2, not 3"),
        (lambda: torch.topk(torch.ones(3), 5), RuntimeError, r"fix: k=min\(5, 3\)"),
        (lambda: torch.ones(2.0), TypeError, r"got \(float\)(?s:.*)fix: int\("),
        (lambda: nn.GRU(3, 4)(torch.ones(2, 3), torch.ones(2, 4)), RuntimeError, "fix: .*1, 4"),
        (lambda: torch.ones(2).to("float32"), RuntimeError, "torch.float32 is a dtype"),
        (lambda: torch.ones(2, dtype=numpy.float32), TypeError, "not numpy.float32"),
        (lambda: torch.clamp(torch.ones(2), "0"), TypeError, r"clamp\(\) takes a number"),
        (lambda: optim.SGD(nn.Linear(1, 1).parameters(), "0.1"), TypeError, "lr=0.1"),
        (lambda: optim.SGD(nn.Linear(1, 1).parameters), TypeError, r"parameters\(\) has brackets"),
        (lambda: TensorDataset([1], [2]), AttributeError, "takes Tensors, but got list"),
        (lambda: nn.Parameter([1.0]), AttributeError, "must be a Tensor, but got list"),
        (lambda: Twice(torch.ones(1)), RuntimeError, r"Twice.apply\("),
        (lambda: nn.functional.nll_loss(torch.ones(3), torch.tensor([0, 1])), ValueError,
         "target size: 2"),
        (lambda: nn.LSTMCell(3, 4)(torch.ones(2, 5)), RuntimeError, "got 5 expected 3(?s:.*)=5"),
        (lambda: torch.randn(2, generator=3), TypeError, "Generator, not int"),
        (lambda: torch.compile(abs, backend="inducktor"), RuntimeError, "mean 'inductor'"),
        (lambda: torch.compile(abs, mode="max-autotun"), RuntimeError, "mean 'max-autotune'"),
        (lambda: torch.load("x", weight_only=True), TypeError, "'weight_only'.*'weights_only'"),
        (lambda: optim.Adam([torch.zeros(1)], lr=None), TypeError, "must be a number, not None"),
        (lambda: optim.SGD(nn.Linear(1, 1).children(), 0.1), ValueError, "nn.ModuleList"),
        (lambda: nn.utils.clip_grad_norm_(nn.Linear(1, 1), 1), TypeError,
         r"not iterable(?s:.*)clip_grad_norm_\(model.parameters\(\)"),
        (lambda: nn.utils.clip_grad_value_(nn.Linear(1, 1).parameters, 1), TypeError, "brackets"),
        (lambda: torch.tensor(1.0)[0], IndexError, "^invalid index of a 0-dim tensor. Use"),
        (lambda: torch.ones(3)[3], IndexError, "size 3(?s:.*)run from -3 to 2$"),
        (lambda: torch.ones(3, 2)[0, 2], IndexError, "dimension 1(?s:.*)run from -2 to 1$"),
        (lambda: torch.ones(3)[torch.tensor([0, -4])], IndexError, "run from -3 to 2$"),
        (lambda: torch.ones(3, 2)[0, 1, 1], IndexError, "at most 2 indices$"),
        (lambda: torch.ones(3, 2)[torch.ones(3, 2) > 0, 0], IndexError, "each of its dimensions"),
        (lambda: torch.ones(3, 2).max(1).item(), AttributeError, "'max' .* pair, .values and"),
        (lambda: optim.Adam([torch.zeros(1)], nn.Linear(1, 1).parameters()), TypeError,
         "learning rate must be a number, not <generator"),
        (lambda: optim.Adam([{"param": [torch.zeros(1)]}]), KeyError, "a group is {'params': "),
        (lambda: optim.SGD([torch.zeros(1)]).load_state_dict(state("weight", "bias")), KeyError,
         "param_groups: this is no state of an optimizer"),
        (lambda: torch.cat(torch.ones(2), torch.ones(2)), TypeError, r"cat\(\[a, b\]\)"),
        (lambda: torch.cat([torch.ones(2, 3), torch.ones(2, 4)]), RuntimeError, "only: dim=1$"),
        (lambda: torch.cat([torch.ones(2, 3), torch.ones(3)]), RuntimeError, "unsqueeze"),
        (lambda: (torch.ones(2, requires_grad=True) > 0).float().sum().backward(), RuntimeError,
         "comparisons and argmax"),
        (lambda: nn.BatchNorm2d(3)(torch.ones(2, 3)), ValueError, r"BatchNorm1d takes \(N, C\)"),
        (lambda: nn.LSTM(3, 4)(torch.ones(2, 3), torch.ones(1, 4)), IndexError, r"\(h, c\)\)"),
        (lambda: nn.GRU(3, 4)(torch.ones(2, 3), 5), TypeError, "state must be of Tensors"),
        (lambda: nn.LSTM(3, 4)(torch.ones(2, 3), 5), TypeError, "state must be of Tensors"),
        (lambda: nn.LSTM(3, 4)(torch.ones(2, 3), (0, 0)), TypeError, "state must be of Tensors"),
        (lambda: nn.functional.cross_entropy(torch.ones(4, 3), torch.tensor([0])), ValueError,
         "one target for each row"),
        (lambda: nn.ModuleList([nn.ReLU()])(torch.ones(1)), NotImplementedError, "nn.Sequential"),
        (lambda: Misspelt()(1), NotImplementedError, "Misspelt.foward must be called forward"),
        (lambda: torch.summary(nn.ReLU(), 3), TypeError, "is a shape, but got int"),
        (lambda: nn.Linear(2, 1).load_state_dict(state("wieght", "bias")), RuntimeError,
         'Missing(?s:.*)"wieght" is called "weight" here'),
        (lambda: nn.Linear(2, 1).load_state_dict(state("module.weight", "module.bias")),
         RuntimeError, r'k.removeprefix\("module."\): v'),
        (lambda: nn.Linear(3, 1).load_state_dict(state("weight", "bias")), RuntimeError,
         "size mismatch(?s:.*)sizes that it was saved with"),
        (lambda: nn.Linear(2, 1).load_state_dict(state("gain", "bias")), RuntimeError,
         "strict=False"),
    ],
)  # fmt: skip
def test_what_beginners_mistype(call, error, says):
    with pytest.raises(error, match=says):
        call()


@pytest.mark.parametrize(
    ("call", "seen"),
    [
        (lambda: torch.ones(2) + torch.ones(3), RuntimeError),
        (lambda: torch.ones(2).sum(3), IndexError),
        (lambda: torch.ones(2).sum().backward(), RuntimeError),
        (lambda: torch.ones(2, requires_grad=True).add_(1), RuntimeError),
        (lambda: torch.exp([1.0]), TypeError),
        (lambda: torch.zeros(2, dtype="float32"), TypeError),
        (lambda: torch.nn.Linaer, AttributeError),
        (lambda: nn.ReLU().forwrad, AttributeError),
        (lambda: torch.ones(2).cuda(), AssertionError),
        (lambda: torch.zeros(2**30, 2**30), RuntimeError),
    ],
)
def test_a_traceback_names_pytorchs_class(call, seen):
    with pytest.raises(seen) as caught:
        call()
    said = traceback.format_exception_only(caught.value)[0]
    assert said.startswith(f"{seen.__name__}: ") and repr(caught.value).startswith(seen.__name__)
    assert type(pickle.loads(pickle.dumps(caught.value))) is seen


@pytest.mark.parametrize("place", [nn, optim, optim.lr_scheduler], ids=lambda p: p.__name__)
def test_pythons_own_errors_name_no_class_that_users_do_not_know(place):
    found = [getattr(place, name) for name in dir(place) if not name.startswith("_")]
    classes = [c for c in found if isinstance(c, type)]
    for made in (getattr(c, name, None) for c in classes for name in ("__init__", "forward")):
        assert not getattr(made, "__qualname__", "").startswith("_")


def test_the_line_of_the_user_is_none_of_the_standard_library():
    y = torch.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match=f"at {__file__}, line"):
        copy.deepcopy(y)


def test_warnings_name_the_line_of_the_user():
    """``warn`` of base/errors.py finds it at any depth; a stacklevel counts frames."""
    for path in (p for folder in (PACKAGE, PACKAGE.parent / "viz") for p in folder.rglob("*.py")):
        assert "warnings.warn(" not in path.read_text(encoding="utf-8"), path
    optimizer = optim.SGD(nn.Linear(1, 1).parameters())
    with pytest.warns(UserWarning, match="before `optimizer.step") as caught:
        optim.lr_scheduler.StepLR(optimizer, 1).step()
    assert caught[0].filename == __file__
