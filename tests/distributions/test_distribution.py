"""Shapes, checks and their messages, expanding, subclasses, and the divergence's table."""

import copy
import pickle
import re

import pytest

import microtorch as torch
import microtorch.distributions as D
from microtorch.distributions import constraints
from microtorch.distributions.utils import broadcast_all, lazy_property

from .cases import CASES, evaluate


@pytest.mark.parametrize("name", CASES)
def test_shapes_and_expanding(name):
    d, _ = evaluate(CASES[name], torch)
    batch, event = d.batch_shape, d.event_shape
    assert isinstance(batch, torch.Size) and isinstance(event, torch.Size)
    torch.manual_seed(0)
    for sample_shape in ((), (2,), torch.Size([3, 1])):
        assert d.sample(sample_shape).shape == tuple(sample_shape) + batch + event
    x = d.sample((2,))
    assert d.support.check(x.detach()).all()
    assert d.log_prob(x).shape == (2, *batch)
    assert d.log_prob(x[0]).shape == batch
    wide = d.expand((4, *batch))
    assert type(wide) is type(d) and wide.batch_shape == (4, *batch)
    assert wide.event_shape == event
    y = wide.sample((2,))
    assert y.shape == (2, 4, *batch, *event)
    once = d.log_prob(y.reshape(8, *batch, *event)).reshape(2, 4, *batch)
    assert torch.allclose(wide.log_prob(y), once)
    assert repr(d).startswith(type(d).__name__)


def test_copies():
    for d in (D.Normal(torch.zeros(2), 1.0), D.Gumbel(0.0, 1.0), D.Beta(1.0, 2.0).expand((3,))):
        for same in (copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
            assert repr(same) == repr(d) and same.batch_shape == d.batch_shape
            assert torch.equal(same.mean, d.mean)


def test_messages_about_parameters():
    with pytest.raises(ValueError) as e:
        D.Normal(torch.tensor([0.0, 1.0]), torch.tensor([1.0, -2.0]))
    assert str(e.value).partition("\n  at ")[0] == (
        "Expected parameter scale (Tensor of shape (2,)) of distribution "
        "Normal(loc: torch.Size([2]), scale: torch.Size([2])) to satisfy the constraint "
        "GreaterThan(lower_bound=0.0), but found invalid values:\ntensor([ 1., -2.])"
    )
    for make, text in (
        (lambda: D.Normal(float("nan"), 1.0), "parameter loc .* constraint Real()"),
        (lambda: D.Bernoulli(1.5), "parameter probs .* Interval(lower_bound=0.0"),
        (lambda: D.Uniform(1.0, 0.0), "parameter low .* LessThan(upper_bound=0.0)"),
        (lambda: D.Categorical(torch.tensor([-1.0, 2.0])), "parameter probs .* Simplex()"),
        (lambda: D.Geometric(0.0), "to be positive but found invalid values"),
        (lambda: D.Bernoulli(), "Either `probs` or `logits` must be specified, but not both."),
        (lambda: D.Bernoulli(0.5, 0.0), "Either `probs` or `logits`"),
        (lambda: D.Categorical(torch.tensor(0.5)), "`probs` parameter must be at least one-dim"),
        (lambda: D.Dirichlet(torch.tensor(0.5)), "must be at least one-dimensional"),
        (lambda: D.MultivariateNormal(torch.zeros(2)), "Exactly one of covariance_matrix"),
        (
            lambda: D.MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]])),
            "parameter covariance_matrix .* PositiveDefinite()",
        ),
        (lambda: D.LKJCholesky(1), "greater than or equal to 2. Found dim=1"),
        (lambda: D.Independent(D.Normal(0.0, 1.0), 1), "actual 1 vs 0"),
        (lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), 3), "must be a Transform or list"),
        (lambda: D.Normal("a", 1.0), "must all be instances of Number"),
        (
            lambda: D.MixtureSameFamily(
                D.Categorical(torch.ones(3)), D.Normal(torch.zeros(2), 1.0)
            ),
            "does not equal `component_distribution.batch_shape[-1]` (2)",
        ),
    ):
        pattern = ".*".join(map(re.escape, text.split(" .* ")))
        with pytest.raises(ValueError, match=pattern):
            make()
    with pytest.raises(RuntimeError, match="size of tensor a"):
        D.Normal(torch.zeros(2), torch.ones(3))


def test_messages_about_samples():
    d = D.Normal(torch.zeros(2), 1.0)
    with pytest.raises(ValueError, match="must be a Tensor"):
        d.log_prob(0.5)
    with pytest.raises(ValueError, match=r"not broadcastable with batch_shape\+event_shape"):
        d.log_prob(torch.zeros(3))
    with pytest.raises(ValueError, match="right-most size of value must match event_shape"):
        D.Independent(d, 1).support.check(torch.zeros(2))
        D.MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(3))
    with pytest.raises(ValueError, match=r"within the support \(Boolean\(\)\)"):
        D.Bernoulli(0.5).log_prob(torch.tensor(0.5))
    with pytest.raises(ValueError, match=r"IntegerInterval\(lower_bound=0, upper_bound=2\)"):
        D.Categorical(torch.ones(3)).log_prob(torch.tensor(3))


def test_validation_can_be_turned_off():
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
    finally:
        D.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError):
        D.Distribution.set_default_validate_args(3)
    assert not D.Normal(0.0, 1.0, validate_args=False).expand((2,))._validate_args


def test_what_is_not_there_says_so():
    base = D.Distribution(validate_args=False)
    for call in (
        lambda: base.mean,
        lambda: base.sample(),
        lambda: base.expand((2,)),
        lambda: D.Bernoulli(0.5).rsample(),
        lambda: D.Bernoulli(0.5).icdf(torch.tensor(0.5)),
        lambda: D.kl_divergence(D.Normal(0.0, 1.0), D.StudentT(3.0)),
        lambda: D.Independent(D.Bernoulli(torch.ones(2) / 2), 1).enumerate_support(),
        lambda: D.Binomial(torch.tensor([2.0, 3.0]), torch.tensor(0.5)).entropy(),
    ):
        with pytest.raises(NotImplementedError):
            call()
    with pytest.raises(NotImplementedError, match="does not implement mode"):
        base.mode  # noqa: B018
    with pytest.warns(UserWarning, match="does not define `arg_constraints`"):
        D.Distribution()


def test_subclasses():
    class Same(D.Normal):
        pass

    class Unit(D.Normal):
        def __init__(self, loc):
            super().__init__(loc, 1.0)

    class Whole(Unit):
        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(Whole, _instance)
            new.kept = "mine"
            return super().expand(batch_shape, _instance=new)

    assert repr(Same(0.0, 1.0).expand((2,))) == "Same(loc: torch.Size([2]), scale: torch.Size([2]))"
    with pytest.raises(NotImplementedError, match=r"must also define a custom \.expand"):
        Unit(0.0).expand((2,))
    wide = Whole(0.0).expand((2,))
    assert wide.kept == "mine" and wide.batch_shape == (2,)
    assert D.kl_divergence(Same(0.0, 1.0), D.Normal(0.0, 1.0)).item() == 0


def test_registering_a_divergence():
    class A(D.Normal):
        pass

    class B(A):
        pass

    D.register_kl(A, D.Normal)(lambda p, q: "left")
    D.register_kl(D.Normal, B)(lambda p, q: "right")
    try:
        a, b, n = A(0.0, 1.0), B(0.0, 1.0), D.Normal(0.0, 1.0)
        assert D.kl_divergence(b, n) == "left" and D.kl_divergence(n, b) == "right"
        assert D.kl_divergence(n, n).item() == 0
        with pytest.warns(RuntimeWarning, match=r"Ambiguous kl_divergence\(A, B\)"):
            D.kl_divergence(a, b)
        with pytest.raises(TypeError, match="Expected type_q"):
            D.register_kl(A, B(0.0, 1.0))
    finally:
        from microtorch.distributions import kl

        for pair in ((A, D.Normal), (D.Normal, B)):
            del kl._KL_REGISTRY[pair]
        kl._KL_MEMOIZE.clear()


def test_lazy_attributes_carry_a_gradient_whoever_reads_them_first():
    p = torch.tensor([0.2, 0.8], requires_grad=True)
    d = D.Bernoulli(p)
    with torch.no_grad():
        d.logits  # noqa: B018
    assert d.logits.requires_grad and d.logits is d.logits
    assert isinstance(D.Bernoulli.logits, lazy_property)
    assert repr(d) == "Bernoulli(probs: torch.Size([2]), logits: torch.Size([2]))"


def test_broadcasting_numbers():
    a, b = broadcast_all(1, torch.zeros(2, 1, dtype=torch.float64))
    assert a.shape == b.shape == (2, 1) and a.dtype == torch.float64
    assert broadcast_all(2)[0].dtype == torch.get_default_dtype()


def test_old_and_other_names():
    from microtorch.distributions.normal import Normal
    from microtorch.distributions.one_hot_categorical import OneHotCategorical

    from microtorch.distributions.categorical import Categorical
    from microtorch.distributions.multivariate_normal import MultivariateNormal

    assert (Normal, Categorical) == (D.Normal, D.Categorical)
    assert (OneHotCategorical, MultivariateNormal) == (D.OneHotCategorical, D.MultivariateNormal)
    assert torch.distributions.studentT.StudentT is D.StudentT
    with pytest.raises(AttributeError, match="Did you mean 'Normal'"):
        D.Norml  # noqa: B018
    with pytest.warns(FutureWarning, match="sample_n"):
        assert D.Normal(0.0, 1.0).sample_n(3).shape == (3,)
    assert set(constraints.__all__) <= set(dir(constraints))


def test_the_draws_refuse_what_they_cannot_do():
    with pytest.raises(RuntimeError, match="invalid Poisson rate"):
        torch.poisson(torch.tensor([1.0, -1.0]))
    with pytest.raises(NotImplementedError, match="poisson_cpu"):
        torch.poisson(torch.tensor([1]))
    with pytest.raises(RuntimeError, match="expected concentrations >= 0"):
        torch._standard_gamma(torch.tensor([1.0, -1.0]))
    with pytest.raises(RuntimeError, match="Found dtype"):
        torch.binomial(torch.tensor([3.0], dtype=torch.float64), torch.tensor([0.5]))
    with pytest.raises(TypeError, match="argument 'prob' must be Tensor, not float"):
        torch.binomial(torch.tensor([3.0]), 0.5)
    with pytest.raises(TypeError, match="argument 'input' must be Tensor, not float"):
        torch.poisson(3.0)
    g = torch.Generator().manual_seed(3)
    state = torch.get_rng_state()
    a = torch.poisson(torch.tensor([3.0, 30.0]), generator=g)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(a, torch.poisson(torch.tensor([3.0, 30.0]), generator=g.manual_seed(3)))
    assert torch._standard_gamma(torch.zeros(2)).tolist() == [torch.finfo(torch.float32).tiny] * 2
    assert torch.poisson(torch.zeros(0, 2)).shape == (0, 2)
    assert torch.poisson(torch.tensor(0.0)).shape == ()


@pytest.mark.parametrize("name", ["Normal", "Cauchy", "LogNormal", "GeneralizedPareto"])
def test_quantiles_are_of_tensors(name):
    parameters = (0.0, 1.0, 0.5)[: 3 if name == "GeneralizedPareto" else 2]
    with pytest.raises(TypeError, match="must be Tensor, not float"):
        getattr(D, name)(*parameters).icdf(0.5)
