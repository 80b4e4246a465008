"""What has no text of its own is the steps of its definition: in exported C, and as nodes of ONNX.
"""

import subprocess

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F
from microtorch.static import spelled as spelled_file
from microtorch.static.program import Program, Step
from microtorch.static.spelled import MOST_NUMBERS, meaning, spelled
from microtorch.static.templates import Ref, Value


def step_of(kind, name, *shapes, **attrs):
    """A step on float32 of these shapes, and a program with its values; it gives the last."""
    d = np.dtype(np.float32)
    program = Program("f", values=[Value(s, d, np.empty(s, d).strides) for s in shapes])
    given = tuple([Ref(i) for i in range(len(shapes) - 1)])
    return program, Step(name, None, given, attrs, Ref(len(shapes) - 1), None, kind)


def test_a_step_as_the_steps_that_it_means():
    program, step = step_of("kernel", "cdist", (3, 4), (5, 4), (3, 5))
    steps, arrays = spelled(program, step)
    assert [s.name for s in steps][-3:] == ["sum", "sqrt", "clone"]
    assert steps[-1].result == step.result and arrays[0].shape == (3, 4)
    assert {n for s in steps for n in [*s.reads(), *s.gives()]} <= {*range(len(program.values))}


@pytest.mark.parametrize(("kind", "name", "shapes", "attrs"), [
    ("numpy", "cdist", [(3, 4), (5, 4), (3, 5)], {}),  # no op
    ("kernel", "pool_gather", [(1, 1, 4, 4), (1, 1, 2, 2), (1, 1, 2, 2)], {}),  # of other numbers
    ("kernel", "sub", [(3, 0), (3, 0), (3, 0)], {}),  # of none
    ("kernel", "cdist", [(MOST_NUMBERS, 1), (5, 1), (MOST_NUMBERS, 5)], {}),
])  # fmt: skip
def test_what_has_no_such_meaning_is_left_alone(kind, name, shapes, attrs):
    program, step = step_of(kind, name, *shapes, **attrs)
    count = len(program.values)
    assert spelled(program, step) is None and len(program.values) == count


def test_of_whole_numbers_nothing_is_spelled():
    program, step = step_of("kernel", "bitwise_and", (3,), (3,), (3,))
    program.values[:] = [v._replace(dtype=np.dtype(np.int64)) for v in program.values]
    assert meaning(step) is not None and spelled(program, step) is None


def test_a_fault_of_a_definition_is_not_taken_for_having_no_meaning(monkeypatch):
    def broken(F, x, y):
        return x.no_such_attribute

    monkeypatch.setattr(spelled_file, "meaning", lambda step: broken)
    with pytest.raises(AttributeError, match="no_such_attribute"):
        spelled(*step_of("kernel", "cdist", (3, 4), (5, 4), (3, 5)))


def test_derivatives_mean_something_too():
    assert meaning(step_of("vjp", "cross_vjp1", (3,), (3,), (3,))[1]) is not None
    assert meaning(step_of("effect", "step", (3,), (3,))[1]) is None


def losses(x, y, index):
    """Of x (4, 3), y (5, 3) and an index (4, 2)."""
    yield torch.cdist(x, y).sum()
    yield torch.cdist(x, y, p=1).sum()
    yield F.pdist(x).sum()
    yield torch.linalg.cross(x, y[:4]).square().sum()
    yield torch.logcumsumexp(x, 0).sum() + torch.logcumsumexp(x, 1).square().sum()
    yield x.clamp(y[:4] - 1, y[:4] + 1).square().sum()
    yield torch.div(x, 0.3, rounding_mode="floor").sum() + (x * torch.sgn(x)).sum()
    yield F.instance_norm(x[None]).square().sum() + F.layer_norm(x, (3,)).exp().sum()
    yield F.layer_norm(x, (3,), y[0]).exp().sum()
    yield F.group_norm(x[None], 2, y[:4, 0]).exp().sum() + F.group_norm(x.T, 2).square().sum()
    z = x * 2
    z[1:3] = y[:2] * x[0]
    z[0] = 1.0
    z[z > 0.5] = 0.25
    yield z.square().sum()
    for way in ("prod", "amax", "amin", "mean"):
        yield x.scatter_reduce(1, index, y[:4, :2].exp(), way).square().sum()
    yield x.scatter(1, index[:, :1], y[:4, :1]).square().sum()
    yield x.scatter(1, index[:, :1], 0.5).square().sum()
    yield torch.signbit(x).float().sum() + torch.isreal(x).float().sum()
    yield torch.renorm(x, 2, 0, 1.0).sum()


def step(x, y, index):
    x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
    turned = (t.mT.contiguous().mT for t in (x, y))  # which lie otherwise
    found = torch.stack([*losses(x, y, index), *losses(*turned, index)])
    grads = torch.autograd.grad(found.cos().sum(), (x, y))
    return [found.detach().clone(), *grads]


def given():
    torch.manual_seed(0)
    return torch.randn(4, 3), torch.randn(5, 3), torch.tensor([[0, 1], [2, 0], [1, 2], [0, 2]])


def test_exported_without_a_text_of_their_own(compiler, tmp_path):
    f = torch.compile(step, backend="eager")
    for _ in range(3):
        f(*given())
    assert not f.reason
    f.export(tmp_path / "model")
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off"]
    command = [*compiler, *flags, "-o", "model", "model.c", "-lm"]
    done = subprocess.run(command, cwd=tmp_path / "model", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed = subprocess.run(["./model"], cwd=tmp_path / "model", capture_output=True, text=True)
    got = [float(v) for v in printed.stdout.split()]
    want = np.concatenate([t.numpy().reshape(-1) for t in step(*given())])
    np.testing.assert_allclose(got, want, rtol=2e-4, atol=1e-5)


# ---- ONNX ----------------------------------------------------------------------------------------
class Of(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *given):
        return self.function(*given)


images, volumes = torch.arange(98.0).sin(), torch.arange(250.0).cos()
images, volumes = images.view(1, 2, 7, 7), volumes.view(1, 2, 5, 5, 5)
table, rows = torch.arange(20.0).cos().view(5, 4), torch.tensor([0, 3, 3, 1, 4, 2])
line = torch.tensor([-1.5, -0.0, 0.0, 2.0, 0.25])
FORMS = {
    "pdist": (F.pdist, table),
    "logcumsumexp": (lambda x: torch.logcumsumexp(x, 1), table),
    "heaviside": (lambda x: torch.heaviside(x, x + 1), line),
    "median": (lambda x: x.median(), line),
    "a mask": (lambda x: [x := x * 1, x.__setitem__(x > 0, 0.5), x][-1], line),
    "adaptive": (lambda x: F.adaptive_max_pool2d(x, (3, 4)), images),
    "adaptive volumes": (lambda x: F.adaptive_max_pool3d(x, 2), volumes),
    "volumes": (lambda x: F.max_pool3d(x, 3, 2, 1, ceil_mode=True), volumes),
    "places": (lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), images),
    "places in volumes": (lambda x: F.max_pool3d(x, 2, return_indices=True), volumes),
    "of a NaN": (lambda x: F.adaptive_max_pool1d(x.log().view(1, 1, 5), 2), line),
    "back": (
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), images[..., 1:, 1:],
    ),
    "bags": (lambda i, w, at: F.embedding_bag(i, w, at), rows, table, torch.tensor([0, 2, 2])),
    "bags of sums": (lambda i, w: F.embedding_bag(i.view(2, 3), w, mode="sum"), rows, table),
    "bags without some": (
        lambda i, w, at: F.embedding_bag(i, w, at, include_last_offset=True, padding_idx=3),
        rows, table, torch.tensor([0, 2, 5]),
    ),
    "the largest of bags": (
        lambda i, w, at: F.embedding_bag(i, w, at, mode="max"), rows, table,
        torch.tensor([0, 2, 2]),
    ),
    "signs": (lambda x: (torch.signbit(x), torch.copysign(x + 3, x), torch.isreal(x)), line),
    "a diagonal": (lambda x: torch.diag_embed(x, 1), table),
    "norm of order 0": (lambda x: torch.linalg.vector_norm(x, 0), line),
    "integers": (lambda i: ((i - 3) // 2, (i - 3) % 2), rows),
    "quantile": (lambda x: torch.quantile(x, 0.3), line),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_in_onnx(name, tmp_path):
    pytest.importorskip("onnx")
    from test_onnx import run

    function, *xs = FORMS[name]
    path = tmp_path / "f.onnx"
    torch.onnx.export(Of(function), tuple(xs), path)
    wanted = function(*[x.clone() for x in xs])
    wanted = [wanted] if isinstance(wanted, torch.Tensor) else [*wanted]
    got = run(path, *xs)
    assert len(got) == len(wanted)
    for g, x in zip(got, wanted, strict=True):
        assert np.asarray(g).dtype == x.numpy().dtype
        np.testing.assert_allclose(g, x.numpy(), rtol=1e-5, atol=1e-6)
