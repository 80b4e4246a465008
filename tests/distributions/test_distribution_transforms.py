"""Transforms against autograd, constraints against numpy, and the table from one to the other."""

import copy
import math
import pickle

import numpy as np
import pytest

import microtorch as torch
import microtorch.distributions as D
from microtorch.distributions import biject_to, constraints, transform_to
from microtorch.distributions.utils import tril_matrix_to_vec, vec_to_tril_matrix

f64 = torch.float64


def t(values):
    return torch.tensor(values, dtype=f64)


X = torch.linspace(-1.4, 1.6, 12, dtype=f64).reshape(3, 4)
P = torch.linspace(0.05, 0.9, 12, dtype=f64).reshape(3, 4)

NUMBERS = {
    "exp": (D.ExpTransform(), X),
    "log": (D.ExpTransform().inv, P),
    "affine": (D.AffineTransform(t([1.0, 2.0, 3.0, 4.0]), t([-1.0, 2.0, 0.5, -4.0])), X),
    "affine of numbers": (D.AffineTransform(1.0, -2.0), X),
    "power": (D.PowerTransform(2.5), P),
    "powers": (D.PowerTransform(t([-1.0, 0.5, 2.0, 3.0])), P),
    "sigmoid": (D.SigmoidTransform(), X),
    "softplus": (D.SoftplusTransform(), X),
    "tanh": (D.TanhTransform(), X),
    "cdf": (D.CumulativeDistributionTransform(D.Normal(t(0.0), t(2.0))), X),
    "composed": (
        D.ComposeTransform([D.ExpTransform(), D.AffineTransform(1.0, -2.0), D.TanhTransform()]),
        X,
    ),
    "none": (D.identity_transform, X),
    "cached": (D.ExpTransform(cache_size=1), X),
}
VECTORS = {
    "independent": (D.IndependentTransform(D.TanhTransform(), 1), X),
    "affine of events": (D.AffineTransform(1.0, t([-1.0, 2.0, 0.5, -4.0]), event_dim=1), X),
    "stick breaking": (D.StickBreakingTransform(), X),
    "affine, stick": (
        D.ComposeTransform([D.AffineTransform(0.0, 2.0), D.StickBreakingTransform()]),
        X,
    ),
    "correlation": (D.CorrCholeskyTransform(), X.reshape(2, 6)),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_of_numbers(name):
    transform, x = NUMBERS[name]
    x = x.clone().requires_grad_()
    y = transform(x)
    assert torch.allclose(transform.inv(y), x)
    assert transform.inv.inv is transform or name == "log"
    (slope,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    log_slope = transform.log_abs_det_jacobian(x, y)
    assert torch.allclose(log_slope, slope.abs().log())
    assert torch.allclose(transform.inv.log_abs_det_jacobian(y, x), -log_slope)
    assert torch.as_tensor(transform.sign).double().expand(x.shape).equal(slope.sign())
    assert transform.codomain.check(y).all() and transform.domain.check(x).all()
    assert transform.forward_shape(x.shape) == y.shape == transform.inverse_shape(y.shape)
    assert transform.event_dim == 0 and transform.bijective


@pytest.mark.parametrize("name", VECTORS)
def test_of_vectors(name):
    transform, x = VECTORS[name]
    y = transform(x)
    assert torch.allclose(transform.inv(y), x)
    assert transform.forward_shape(x.shape) == y.shape
    assert transform.inverse_shape(y.shape) == x.shape
    assert transform.codomain.check(y).all()

    def free(v):
        """As many numbers of y as v has."""
        out = transform(v)
        if name == "correlation":
            return tril_matrix_to_vec(out, -1)
        return out[: len(v)]

    expected = [
        torch.linalg.slogdet(torch.autograd.functional.jacobian(free, row)).logabsdet for row in x
    ]
    assert torch.allclose(transform.log_abs_det_jacobian(x, y), torch.stack(expected))


def test_by_parts():
    exp, affine, x = D.ExpTransform(), D.AffineTransform(0.0, 3.0), X
    joined = D.CatTransform([exp, affine], dim=-1, lengths=[1, 3])
    assert torch.allclose(joined(x), torch.cat([x[:, :1].exp(), x[:, 1:] * 3], -1))
    assert torch.allclose(joined.inv(joined(x)), x)
    slopes = torch.cat([x[:, :1], torch.full((3, 3), math.log(3.0), dtype=f64)], -1)
    assert torch.allclose(joined.log_abs_det_jacobian(x, joined(x)), slopes)
    piled = D.StackTransform([exp, affine, D.identity_transform])
    assert torch.allclose(piled(x), torch.stack([x[0].exp(), x[1] * 3, x[2]]))
    assert torch.allclose(piled.inv(piled(x)), x)
    with pytest.raises(AssertionError, match="must equal length 4"):
        joined(x[:, :3])
    with pytest.raises(AssertionError, match="out of range"):
        D.StackTransform([exp], dim=2)(x)
    with pytest.raises(AssertionError, match="must match transforms"):
        D.CatTransform([exp], lengths=[1, 2])


def test_of_matrices():
    x = torch.linspace(-1, 1, 18, dtype=f64).reshape(2, 3, 3)
    lower, definite = D.LowerCholeskyTransform(), D.PositiveDefiniteTransform()
    assert constraints.lower_cholesky.check(lower(x)).all()
    assert constraints.positive_definite.check(definite(x)).all()
    assert torch.allclose(lower.inv(lower(x)), x.tril())
    assert torch.allclose(definite.inv(definite(x)), x.tril())
    reshape = D.ReshapeTransform((3, 3), (9,))
    assert reshape(x).shape == (2, 9) and torch.equal(reshape.inv(reshape(x)), x)
    assert reshape.log_abs_det_jacobian(x, reshape(x)).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="Shape mismatch"):
        reshape.forward_shape(torch.Size([3, 2]))
    with pytest.raises(ValueError, match="different numbers of elements"):
        D.ReshapeTransform((2,), (3,))


def test_to_the_simplex():
    softmax = D.SoftmaxTransform()
    assert torch.allclose(softmax(X), X.softmax(-1))
    assert torch.allclose(softmax(softmax.inv(softmax(X))), softmax(X))
    stick = D.StickBreakingTransform()
    assert torch.allclose(stick(torch.zeros(3, dtype=f64)), torch.full((4,), 0.25, dtype=f64))
    with pytest.raises(ValueError, match="Too few dimensions"):
        stick.forward_shape(torch.Size())


def test_a_cache_gives_back_the_same_tensors():
    transform = D.TanhTransform().with_cache()
    x = torch.randn(3)
    y = transform(x)
    assert transform(x) is y and transform.inv(y) is x
    assert D.TanhTransform()(x) is not y
    with pytest.raises(ValueError, match="cache_size"):
        D.ExpTransform(cache_size=2)

    class Own(D.Transform):
        def __init__(self, k):
            super().__init__()

    with pytest.raises(NotImplementedError, match="with_cache"):
        Own(3).with_cache()
    for transform in (*[f for f, _ in NUMBERS.values()], *[f for f, _ in VECTORS.values()]):
        assert transform.with_cache(1)._cache_size == 1


def test_what_a_transform_is_of_may_be_said_of_an_instance():
    class Clipped(D.Transform):
        bijective, sign = True, 1

        def __init__(self, bound):
            super().__init__()
            self.bound, self.domain = bound, D.constraints.real
            self.codomain = D.constraints.interval(-bound, bound)

        def _call(self, x):
            return x / (1 + abs(x / self.bound))

        def _inverse(self, y):
            return y / (1 - abs(y / self.bound))

    clip, x = Clipped(2.0), torch.tensor([-3.0, 0.5])
    assert torch.allclose(clip.inv(clip(x)), x) and clip.inv.domain.check(clip(x)).all()
    assert clip.event_dim == 0 and D.TransformedDistribution(D.Normal(0.0, 1.0), clip).support is (
        clip.codomain
    )
    with pytest.raises(AttributeError, match="domain"):
        D.Transform().domain  # noqa: B018


def test_equality_and_printing():
    assert D.ExpTransform() == D.ExpTransform() != D.TanhTransform()
    assert D.ExpTransform().inv == D.ExpTransform().inv
    assert D.AffineTransform(0.0, t(2.0)) == D.AffineTransform(0.0, t(2.0))
    assert D.AffineTransform(0.0, 1.0) != D.AffineTransform(0.0, 2.0)
    assert D.PowerTransform(2.0) == D.PowerTransform(2.0)
    assert repr(D.ExpTransform().inv) == "_InverseTransform(ExpTransform())"
    composed = D.ComposeTransform([D.ExpTransform(), D.AffineTransform(0, 1)])
    assert repr(composed) == "ComposeTransform(\n    ExpTransform(),\n    AffineTransform()\n)"
    assert repr(D.IndependentTransform(D.ExpTransform(), 2)).endswith("(ExpTransform(), 2)")
    assert copy.deepcopy(composed) == composed == pickle.loads(pickle.dumps(composed))


def test_triangles_and_vectors():
    vec = torch.arange(1.0, 7.0)
    mat = vec_to_tril_matrix(vec)
    assert mat.tolist() == [[1, 0, 0], [2, 3, 0], [4, 5, 6]]
    assert torch.equal(tril_matrix_to_vec(mat), vec)
    assert vec_to_tril_matrix(vec, diag=-1).shape == (4, 4)
    with pytest.raises(ValueError, match="cannot be expressed"):
        vec_to_tril_matrix(torch.ones(4))
    with pytest.raises(ValueError, match="outside"):
        tril_matrix_to_vec(mat, diag=3)


# ---- constraints ---------------------------------------------------------------------------------
CHECKS = [
    (constraints.real, [0.0, math.inf, math.nan], [True, True, False]),
    (constraints.positive, [0.0, 1.0, math.nan], [False, True, False]),
    (constraints.nonnegative, [0.0, -1.0], [True, False]),
    (constraints.greater_than(2.0), [2.0, 2.5], [False, True]),
    (constraints.greater_than_eq(2.0), [2.0, 1.5], [True, False]),
    (constraints.less_than(2.0), [2.0, 1.5], [False, True]),
    (constraints.unit_interval, [0.0, 1.0, 1.1], [True, True, False]),
    (constraints.half_open_interval(0.0, 1.0), [0.0, 1.0], [True, False]),
    (constraints.boolean, [0.0, 1.0, 0.5], [True, True, False]),
    (constraints.nonnegative_integer, [0.0, 3.0, 0.5, -1.0], [True, True, False, False]),
    (constraints.positive_integer, [0.0, 3.0], [False, True]),
    (constraints.integer_interval(1, 3), [0.0, 1.0, 3.0, 2.5], [False, True, True, False]),
    (constraints.real_vector, [[0.0, 1.0], [0.0, math.nan]], [True, False]),
    (constraints.simplex, [[0.5, 0.5], [0.5, 0.6], [-0.5, 1.5]], [True, False, False]),
    (constraints.one_hot, [[0.0, 1.0], [1.0, 1.0], [0.5, 0.5]], [True, False, False]),
    (constraints.multinomial(3), [[1.0, 2.0], [2.0, 2.0], [-1.0, 1.0]], [True, False, False]),
    (constraints.lower_triangular, [[[1.0, 0.0], [2.0, 0.0]]], [True]),
    (constraints.lower_cholesky, [[[1.0, 0.0], [2.0, 0.0]]], [False]),
    (constraints.corr_cholesky, [[[1.0, 0.0], [0.6, 0.8]]], [True]),
    (constraints.corr_cholesky, [[[1.0, 0.0], [1.0, 1.0]]], [False]),
    (constraints.symmetric, [[[1.0, 2.0], [2.0, 0.0]]], [True]),
    (constraints.positive_definite, [[[1.0, 2.0], [2.0, 1.0]]], [False]),
    (constraints.positive_semidefinite, [[[1.0, 1.0], [1.0, 1.0]]], [True]),
    (constraints.square, [[[1.0], [2.0]]], [False]),
    (constraints.cat([constraints.positive, constraints.real]), [-1.0, -1.0], [False, True]),
    (constraints.stack([constraints.positive, constraints.real]), [-1.0, -1.0], [False, True]),
    (constraints.independent(constraints.positive, 1), [[1.0, 2.0], [1.0, 0.0]], [True, False]),
]


@pytest.mark.parametrize("constraint, values, expected", CHECKS, ids=lambda v: repr(v)[:40])
def test_check(constraint, values, expected):
    assert constraint.check(t(values)).tolist() == expected


def test_a_dependent_constraint_says_what_is_known():
    with pytest.raises(NotImplementedError, match="event_dim cannot be determined"):
        constraints.dependent.event_dim  # noqa: B018
    known = constraints.dependent(is_discrete=True, event_dim=1)
    assert known.is_discrete and known.event_dim == 1
    assert constraints.is_dependent(D.Uniform.support) and D.Uniform.support.event_dim == 0
    assert not constraints.is_dependent(D.Normal.support)
    with pytest.raises(ValueError, match="Cannot determine validity"):
        known.check(torch.zeros(1))


def test_reprs():
    assert repr(constraints.positive) == "GreaterThan(lower_bound=0.0)"
    assert repr(constraints.unit_interval) == "Interval(lower_bound=0.0, upper_bound=1.0)"
    assert repr(constraints.real_vector) == "IndependentConstraint(Real(), 1)"
    assert repr(constraints.multinomial(3)) == "Multinomial()"
    mixture = constraints.MixtureSameFamilyConstraint(constraints.real)
    assert repr(mixture) == "MixtureSameFamilyConstraint(Real())"


@pytest.mark.parametrize(
    "constraint, shape",
    [
        (constraints.real, (3,)),
        (constraints.positive, (3,)),
        (constraints.greater_than(1.5), (3,)),
        (constraints.less_than(-1.0), (3,)),
        (constraints.unit_interval, (3,)),
        (constraints.interval(-2.0, t([0.0, 1.0, 2.0])), (3,)),
        (constraints.simplex, (2, 3)),
        (constraints.corr_cholesky, (6,)),
        (constraints.lower_cholesky, (3, 3)),
        (constraints.positive_definite, (3, 3)),
        (constraints.independent(constraints.positive, 1), (3,)),
        (constraints.cat([constraints.positive, constraints.real], lengths=[1, 2]), (3,)),
        (constraints.stack([constraints.positive, constraints.real]), (2,)),
    ],
    ids=lambda v: repr(v)[:40],
)
def test_the_registries_lead_into_the_constraint(constraint, shape):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=shape))
    assert constraint.check(transform_to(constraint)(x)).all()
    if constraint not in (constraints.lower_cholesky, constraints.positive_definite):
        bijection = biject_to(constraint)
        y = bijection(x)
        assert constraint.check(y).all() and bijection.bijective
        assert torch.allclose(bijection.inv(y), x)
        assert bijection.log_abs_det_jacobian(x, y).isfinite().all()


def test_registering():
    class Own(constraints.Constraint):
        pass

    with pytest.raises(NotImplementedError, match="Cannot transform Own"):
        transform_to(Own())
    transform_to.register(Own, lambda c: D.ExpTransform())
    assert transform_to(Own()) == D.ExpTransform()
    with pytest.raises(TypeError, match="Constraint subclass"):
        transform_to.register(3, lambda c: D.ExpTransform())
