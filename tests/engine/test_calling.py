"""How calls are read: names of parameters, numbers of numpy's, and arguments of wrong types.

``names.txt`` has the parameters that PyTorch 2.13's own parsers list, and for each such list the
functions and methods that have an overload with it.
"""

from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

import microtorch as torch
from microtorch.engine.calling import EXPORTED, reading
from microtorch.ops.surface import FUNCTIONS, METHODS

F = torch.nn.functional
X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
INDEX = torch.tensor([[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("call", "same"),
    [
        (lambda: torch.eq(input=X, other=2.0), lambda: X == 2),
        (lambda: X.eq(other=2.0), lambda: X == 2),
        (lambda: torch.pow(input=X, exponent=2), lambda: X**2),
        (lambda: X.pow(exponent=2), lambda: X**2),
        (lambda: X.mv(vec=X[0]), lambda: X @ X[0]),
        (lambda: X.clone().copy_(other=X + 1), lambda: X + 1),
        (lambda: X.clone().mul_(other=3), lambda: X * 3),
        (lambda: torch.exp_(input=X.clone()), lambda: X.exp()),
        (lambda: torch.amax(X, axis=1, keepdims=True), lambda: X.amax(1, True)),
        (lambda: torch.amax(a=X, axis=0), lambda: X.amax(0)),
        (lambda: torch.gcd(x1=X.int(), x2=X.int()), lambda: X.int()),
        (lambda: torch.float_power(self=2, exponent=X), lambda: 2**X),
        (lambda: torch.linalg.cholesky(input=X @ X.T), lambda: torch.linalg.cholesky(X @ X.T)),
        (lambda: torch.hsplit(X, sections=2)[1], lambda: X[:, 1:]),
        (lambda: torch.tensor_split(X, indices=(1,), dim=1)[1], lambda: X[:, 1:]),
        (lambda: torch.isin(element=2.0, test_elements=X), lambda: torch.tensor(True)),
        (lambda: torch.repeat_interleave(repeats=torch.tensor([0, 2])), lambda: [1, 1]),
        (lambda: torch.special.expit(input=X, out=torch.empty(0)), lambda: X.sigmoid()),
        (lambda: X.amax(np.int64(1)), lambda: X.amax(1)),
        (lambda: X.sum(dim=torch.tensor(1)), lambda: X.sum(1)),
        (lambda: X.chunk(np.int64(2))[0], lambda: X[:1]),
        (lambda: X.permute(dims=(1, 0)), lambda: X.permute(1, 0)),
        (lambda: F.one_hot(input=torch.tensor([1])), lambda: [[0, 1]]),
    ],
)
def test_names_and_numbers(call, same):
    ours, expected = call(), same()
    assert ours.tolist() == (expected if isinstance(expected, list) else expected.tolist())


@pytest.mark.filterwarnings("ignore:This overload")
def test_numbers_first():
    out = torch.addmm(X, X, X, beta=2, alpha=3)
    assert torch.equal(torch.addmm(2, X, 3, X, X), out)
    assert torch.equal(X.addmm(2, 3, X, X), out)
    assert torch.equal(X.clone().addmm_(2, 3, X, X), out)
    assert torch.equal(torch.addmm(2, X, X, X), torch.addmm(X, X, X, beta=2))


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.sum(3), lambda: torch.exp("a"), lambda: torch.ceil(np.ones(2)),
        lambda: torch.eq(X, X, 7), lambda: torch.eq(X), lambda: torch.eq(X, foo=1),
        lambda: X.mm("a"), lambda: torch.cat([X, None]), lambda: torch.broadcast_tensors(X, 3),
        lambda: X.amax("a"), lambda: X.amax(1, 1), lambda: X.sum(dim=0, keepdim="yes"),
        lambda: torch.linalg.solve(X, None), lambda: torch.fft.fft(X, norm=1),
        lambda: F.conv2d(None, X), lambda: F.mse_loss(X, "a"), lambda: F.max_pool2d(X, "a"),
        lambda: torch.eye(2, requires_grad=1), lambda: torch.amax(X, dim=0, input=X),
        lambda: X.std(0, keepdims="yes"), lambda: X.argmax(axis=0, keepdims=1),
        lambda: X.sum(0, keepdims=None), lambda: X.type(X), lambda: X.type([1]),
        lambda: X.to(torch.float64, False, "a"),
        lambda: X.to(copy="a"), lambda: X.to(torch.float64, non_blocking=1),
        lambda: X.numpy(force=1), lambda: X.type(torch.int32, non_blocking="a"),
        lambda: X.is_contiguous(memory_format="a"), lambda: X.clone().set_(1),
        lambda: torch.device("cpu", "a"), lambda: torch.device("cpu", True),
        lambda: X.index_put(torch.tensor([0]), X[0, 0]), lambda: torch.alias_copy([]),
        lambda: X.clamp(X, [1.0]), lambda: torch.use_deterministic_algorithms("a"),
        lambda: torch.autograd.set_detect_anomaly("a"),
    ],
)  # fmt: skip
def test_wrong_types(call):
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: X.sum(dim=0, axis=1), lambda: X.mean(0, axis=1), lambda: X.amax(dim=0, axis=1),
        lambda: X.sum(0, True, keepdims=True), lambda: X.permute(0, 1, dims=(1, 0)),
    ],
)  # fmt: skip
def test_an_argument_given_twice(call):
    with pytest.raises(TypeError, match="got multiple values for"):
        call()


@pytest.mark.parametrize("more", [None, 1, "a", (), X])
@pytest.mark.parametrize(
    ("name", "operands"),
    [
        ("sigmoid", 1), ("isnan", 1), ("square", 1), ("mul", 2), ("lt", 2), ("maximum", 2),
        ("matmul", 2), ("logical_and", 2), ("abs_", 1), ("mul_", 2),
    ],
)  # fmt: skip
def test_one_argument_too_many(name, operands, more):
    """None, too, which may stand for ``out`` only by its name."""
    given = [X.clone() for _ in range(operands)]
    with pytest.raises(TypeError):
        getattr(given[0], name)(*given[1:], more)
    if hasattr(torch, name):
        with pytest.raises(TypeError):
            getattr(torch, name)(*given, more)
        if not name.endswith("_"):
            assert getattr(torch, name)(*given, out=None).equal(getattr(torch, name)(*given))
    with pytest.raises(TypeError):
        torch.nn.functional.linear(X, X, None, more)


def test_a_name_that_is_none_comes_with_those_there_are():
    with pytest.raises(TypeError, match=r"keyword argument 'dimension'\n.*are input, dim, dtype"):
        torch.softmax(X, dimension=1)


def test_pythons_own_type_errors_name_the_argument():
    with pytest.raises(TypeError, match=r"^pad\(\): argument 'pad' \(position 2\) must be tuple"):
        F.pad(X, 1)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'dim'"):
        torch.softmax(X)


def test_what_python_writes_raises_both():
    with pytest.raises(AttributeError):  # as PyTorch's F.mse_loss does
        F.mse_loss(None, X)


def test_too_large_for_an_integer():
    with pytest.raises(ValueError, match="Overflow"):
        X.amax(dim=2**70)


def test_a_call_made_again_has_its_out():
    """The first attempt fails with numpy's number; the second must not forget ``out``."""

    def add(input, n: int):
        if type(n) is not int:
            raise ValueError(n)
        return input + n

    out = torch.empty(2, 2)
    assert reading(add)(X, np.int64(3), out=out) is out
    assert out.equal(X + 3)


def test_one_wrapper_stands_around_a_function():
    """Names, casts, layouts and names of nodes cost one frame a call, not one each."""
    for place in (METHODS, FUNCTIONS, vars(torch.linalg), vars(F)):
        for name, f in dict(place).items():
            if getattr(f, "reading", False):
                inner = f.__wrapped__
                assert not {"reading", "entered"} & vars(inner).keys(), name
                assert EXPORTED.get(inner, f).__code__ is f.__code__, name


@pytest.mark.parametrize("f", [F.layer_norm, F.group_norm, F.batch_norm])
def test_mixed_dtypes_of_normalisations(f):
    arguments = {
        F.layer_norm: ((2,), torch.ones(2)), F.group_norm: (2, torch.ones(2)),
        F.batch_norm: (torch.ones(2), torch.ones(2)),
    }[f]  # fmt: skip
    with pytest.raises(RuntimeError, match="mixed dtype"):
        f(X.double()[..., None] if f is F.group_norm else X.double(), *arguments)


@pytest.mark.parametrize(
    "call",
    [
        lambda: X.chunk(True), lambda: X.split(True), lambda: X.tril(True), lambda: X.roll(True),
        lambda: X.narrow(0, 0, True), lambda: X.topk(True), lambda: X.unfold(0, 1, True),
        lambda: torch.rot90(X, 1.5), lambda: torch.linalg.matrix_power(X, True),
        lambda: torch.randint(True, (2,)), lambda: torch.randint(0, True, (2,)),
        lambda: torch.tril_indices(2, True), lambda: torch.hann_window(4, 1),
        lambda: torch.hann_window(4.5), lambda: X.var(0, 1, False), lambda: X.amax(1, 1),
        lambda: X.clone().fill_diagonal_(0.0, 1), lambda: X.clone().random_(True, 3),
        lambda: F.embedding(torch.tensor([0]), X, None, None, 2.0, 1),
    ],
)  # fmt: skip
def test_types_of_arguments_by_position(call):
    """Python takes anything for a flag, and a bool for an int: PyTorch does not."""
    for _ in range(2):  # also once the function was called with what fits
        with pytest.raises(TypeError):
            call()
        X.chunk(2), X.split(2), X.tril(1), X.roll(1), X.narrow(0, 0, 1), X.topk(1)
        torch.rot90(X, 1), torch.randint(1, (2,)), torch.randint(0, 1, (2,)), X.amax(1, True)


def test_combinations_that_no_overload_takes():
    for low, high in ((1, X), (X, 1)):
        with pytest.raises(TypeError, match="invalid combination"):
            X.clamp(low, high)
    assert X.clamp(torch.tensor(2.0), 3).equal(X.clamp(2, 3))
    with pytest.raises(RuntimeError, match="2-tuple"):
        torch.norm(X[None], dim=(0, 1, 2))
    assert torch.norm(X[None], 2, dim=(0, 1, 2)).equal(X.norm())


def test_numbers_that_stand_for_an_int():
    """numpy's ints, and tensors of one, as before."""
    for one in (np.int64(1), torch.tensor(1)):
        assert X.tril(one).equal(X.tril(1))
        assert len(X.chunk(one)) == 1
        assert torch.tril_indices(2, one).shape == (2, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda p: F.leaky_relu(X, p), lambda p: F.leaky_relu(X, negative_slope=p),
        lambda p: F.elu(X, alpha=p), lambda p: F.softplus(X, 1.0, p), lambda p: F.hardtanh(X, 0, p),
        lambda p: F.huber_loss(X, X, delta=p), lambda p: F.triplet_margin_loss(X, X, X, p),
        lambda p: F.layer_norm(X, (2,), eps=p), lambda p: F.batch_norm(X, X[0], X[0], eps=p),
        lambda p: F.dropout(X, p), lambda p: F.pad(X, (1, 1), value=p), lambda p: torch.norm(X, p),
        lambda p: torch.add(X, X, alpha=p), lambda p: X.clone().sub_(X, alpha=p),
        lambda p: torch.addmm(X, X, X, beta=p), lambda p: torch.addcmul(X, X, X, value=p),
        lambda p: torch.full((2,), p), lambda p: X.new_full((2,), p), lambda p: torch.arange(p),
        lambda p: torch.nn.LeakyReLU(p)(X), lambda p: torch.logit(X, p),
        lambda p: X.std(0, correction=p),
    ],
)  # fmt: skip
def test_a_number_carries_no_gradient(call):
    """A parameter in the place of a number would never learn: an error says so."""
    call(torch.tensor(0.5))
    for _ in range(2):
        with pytest.raises(TypeError, match=r"(?s)must be (Number|float).*fix: (x\.item|multiply)"):
            call(torch.tensor(0.5, requires_grad=True))


def test_what_is_computed_with_tensors_takes_a_tensor():
    p = torch.tensor(0.5, requires_grad=True)
    for y in (F.gumbel_softmax(X, p), F.normalize(X, eps=p), F.local_response_norm(X[None], 1, p)):
        assert y.requires_grad


@pytest.mark.parametrize(
    "call",
    [
        lambda n: X.std(0, correction=n(1)), lambda n: F.leaky_relu(X, n(0.5)),
        lambda n: F.batch_norm(X, None, None, None, None, True, 0.1, n(1)),
        lambda n: F.batch_norm(X, X[0], X[0], eps=n(1)),
        lambda n: F.layer_norm(X, (2,), None, None, n(1)),
        lambda n: torch.add(X, X, alpha=n(2)), lambda n: F.huber_loss(X, X, delta=n(2)),
    ],
)  # fmt: skip
def test_numbers_of_numpy_promote_nothing(call):
    for _ in range(2):
        assert call(np.float64).equal(call(float))
        assert call(np.float64).dtype is torch.float32


def test_one_list_of_sizes_and_sizes_one_by_one():
    """Methods take both; functions one list, as PyTorch's do."""
    for name, sizes in (
        ("reshape", (4, 1)), ("flip", (0, 1)), ("permute", (1, 0)), ("broadcast_to", (2, 2)),
        ("tile", (2, 2)),
    ):  # fmt: skip
        function, method = getattr(torch, name), getattr(X, name)
        assert function(X, sizes).equal(method(*sizes)) and method(sizes).equal(method(*sizes))
        assert function(input=X, **{PARAMETER[name]: sizes}).equal(method(*sizes))
        for given in (sizes, sizes[:1], ()):
            with pytest.raises(TypeError):
                function(X, *given)
        with pytest.raises(TypeError):
            method(*sizes, **{PARAMETER[name]: sizes})
    assert X.flip(0).equal(torch.flip(X, (0,)))
    with pytest.raises(TypeError, match=r"fix: \(0,\) is a tuple of one"):
        torch.flip(X, 0)
    for call in (
        lambda: torch.zeros(), lambda: torch.rand(size=3), lambda: torch.ones(3, size=(3,)),
        lambda: X.new_zeros(), lambda: X.new_full(3, 1.0), lambda: X.new_ones(size=2),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            call()


PARAMETER = {
    "reshape": "shape", "flip": "dims", "permute": "dims", "broadcast_to": "size", "tile": "dims",
}  # fmt: skip


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: torch.rand(2, generator=0), "torch.Generator"),
        (lambda: X.clone().normal_(generator=0), "torch.Generator"),
        (lambda: list(torch.utils.data.RandomSampler(X, generator=0)), "torch.Generator"),
        (lambda: torch.nn.init.normal_(X.clone(), generator=42), "torch.Generator"),
        (lambda: torch.zeros(2, layout="a"), "torch.layout"),
        (lambda: torch.zeros(2, pin_memory=1), "bool"),
        (lambda: torch.zeros(2, device=1.5), "must be str"),
        (lambda: X.clone(memory_format="A"), "torch.memory_format"),
        (lambda: X.contiguous(memory_format=1), "torch.memory_format"),
        (lambda: X.float(1), "torch.memory_format"),
        (lambda: torch.zeros_like(X, memory_format="A"), "torch.memory_format"),
        (lambda: torch.softmax(X, 0, True), "torch.dtype"),
        (lambda: X.sum(0, dtype="float32"), "torch.dtype"),
        (lambda: torch.stft(X[0], 2, return_complex=1), "bool"),
        (lambda: torch.istft(X.cfloat(), 2, center=None), "bool"),
        (lambda: torch.sum(X, out=(X,)), "'out' must be Tensor"),
        (lambda: torch.max(X, 0, out=X), "'out' must be tuple"),
    ],
)
def test_what_stands_in_the_place_of_an_option(call, says):
    for _ in range(2):
        with pytest.raises(TypeError, match=says):
            call()


NAMES = (Path(__file__).parent / "names.txt").read_text(encoding="utf-8").replace("\n  ", " ")


def test_every_name_of_pytorch():
    """Each function has PyTorch's parameters, in PyTorch's order, under PyTorch's names."""
    wrong = []
    for line in NAMES.splitlines():
        names, paths = (part.split() for part in line.split(":"))
        wrong += [(p, names) for p in paths if not takes(attrgetter(p)(torch), names)]
    assert not wrong, wrong


def takes(function, names):
    """Does a function take arguments of these names? Asked with values that fit nowhere."""
    given = dict.fromkeys(names, Nothing())
    try:
        function(*([X] if given.pop("self", None) and names[0] == "self" else []), **given)
    except Exception as e:
        text = str(e)
        return "unexpected keyword" not in text and "multiple values" not in text
    return True


class Nothing:
    """What no function can use."""


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: torch.addmm(X, X, X, 3), TypeError), (lambda: X.addmm(X, X, 0.2, 0.6), TypeError),
        (lambda: torch.addr(X, X[0], X[1], True), TypeError),
        (lambda: torch.addmm(X, X, X, alpha=1j), RuntimeError),
        (lambda: torch.addcmul(X, X, X, value=1j), RuntimeError),
        (lambda: X.max(keepdim=True), TypeError), (lambda: torch.min(X, keepdim=True), TypeError),
        (lambda: X.std(0, unbiased=True, correction=1), TypeError),
        (lambda: X.clone().cumsum_(0, dtype=torch.float64), RuntimeError),
        (lambda: torch.resolve_conj("a"), TypeError), (lambda: torch.is_conj(1), TypeError),
        (lambda: torch.is_nonzero(1), TypeError), (lambda: torch.is_inference("a"), TypeError),
        (lambda: X.clone().copy_(X, "a"), TypeError), (lambda: X.multinomial(1, "a"), TypeError),
        (lambda: X.to_sparse("a"), TypeError), (lambda: X.to_sparse(3), RuntimeError),
        (lambda: X.to_dense(2.5), TypeError), (lambda: X.is_pinned([]), TypeError),
        (lambda: X.max(X, True), TypeError), (lambda: torch.clamp(INDEX, (0,)), TypeError),
        (lambda: torch.clamp(2.5, X), TypeError), (lambda: torch.isin(X, [1.0]), TypeError),
        (lambda: torch.bucketize([1.0], X[0]), TypeError),
        (lambda: X.scatter(0, INDEX, X, 1), TypeError), (lambda: X.hsplit({}), TypeError),
        (lambda: X.as_strided(1, (1,)), TypeError), (lambda: X.movedim((0,), 1), TypeError),
        (lambda: F.embedding(INDEX, X, True), TypeError),
        (lambda: torch.embedding(X, INDEX, 0.5), TypeError),
        (lambda: torch.norm_except_dim(X, 2.5), TypeError),
        (lambda: torch.kl_div(X, X, True), TypeError), (lambda: F.pad(X, {}), TypeError),
        (lambda: F.cosine_similarity(X, X, (0,)), TypeError),
        (lambda: F.pairwise_distance(X, 1), TypeError),
        (lambda: F.bilinear(X, X, X[None], 1), TypeError),
        (lambda: F.poisson_nll_loss(X, 1), TypeError),
        (lambda: torch.special.legendre_polynomial_p(X, 1j), NotImplementedError),
    ],
)
def test_what_would_be_ignored_is_refused(call, error):
    with pytest.raises(error):
        call()


@pytest.mark.parametrize(
    ("call", "same"),
    [
        (lambda: torch.addmm(X, X, X, alpha=2 + 0j), lambda: torch.addmm(X, X, X, alpha=2)),
        (lambda: torch.addcmul(X, X, X, value=2 + 0j), lambda: torch.addcmul(X, X, X, value=2)),
        (lambda: torch.lerp(X, X * 2, 0.5 + 0j), lambda: X * 1.5),
        (lambda: torch.addr(torch.tensor(1), X[0], X[0], beta=0.5),
         lambda: 0.5 + torch.outer(X[0], X[0])),
        (lambda: X[torch.Size([1])], lambda: X[1]),
        (lambda: X.max(torch.tensor(1), True).values, lambda: X.amax(1, keepdim=True)),
        (lambda: torch.diff(X, 0, prepend=X), lambda: X),
        (lambda: torch.distributions.HalfNormal(torch.tensor([1, 2])).log_prob(X),
         lambda: torch.distributions.HalfNormal(torch.tensor([1.0, 2.0])).log_prob(X)),
        (lambda: torch.sort(torch.randperm(torch.tensor(3))).values, lambda: torch.arange(3)),
        (lambda: X.unsqueeze(2).sum_to_size(size=(2, 1, 1)), lambda: X.sum(1)[:, None, None]),
    ],
)
def test_what_stands_for_something_else(call, same):
    assert call().equal(same())
    assert call().dtype is same().dtype
