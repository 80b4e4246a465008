"""Densities against themselves: integrals, moments and divergences by quadrature."""

import contextlib
import math

import numpy as np
import pytest

import microtorch as torch
import microtorch.distributions as D

# at the ends of an interval a density may be 0, and its logarithm infinite
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
f64 = torch.float64
LINE, HALF, UNIT = (-60.0, 60.0), (1e-9, 120.0), (1e-9, 1 - 1e-9)


def t(*values):
    return torch.tensor(values[0] if len(values) == 1 else values, dtype=f64)


CONTINUOUS = {
    "normal": (lambda: D.Normal(t(0.3), t(1.7)), LINE),
    "log-normal": (lambda: D.LogNormal(t(0.1), t(0.5)), HALF),
    "half-normal": (lambda: D.HalfNormal(t(1.3)), HALF),
    "Laplace": (lambda: D.Laplace(t(-0.5), t(0.8)), LINE),
    "Gumbel": (lambda: D.Gumbel(t(0.5), t(0.7)), (-2.5, 22.0)),
    "t": (lambda: D.StudentT(t(9.0), t(0.5), t(1.5)), LINE),
    "uniform": (lambda: D.Uniform(t(-1.0), t(2.0)), (-1.0, 2.0 - 1e-12)),
    "gamma": (lambda: D.Gamma(t(2.5), t(0.8)), HALF),
    "chi2": (lambda: D.Chi2(t(4.0)), HALF),
    "exponential": (lambda: D.Exponential(t(0.6)), HALF),
    "Weibull": (lambda: D.Weibull(t(1.5), t(2.0)), HALF),
    "F": (lambda: D.FisherSnedecor(t(6.0), t(30.0)), HALF),
    "inverse gamma": (lambda: D.InverseGamma(t(9.0), t(8.0)), HALF),
    "beta": (lambda: D.Beta(t(2.5), t(1.5)), UNIT),
    "Kumaraswamy": (lambda: D.Kumaraswamy(t(2.5), t(1.5)), UNIT),
    "continuous Bernoulli": (lambda: D.ContinuousBernoulli(t(0.3)), UNIT),
    "generalized Pareto": (
        lambda: D.GeneralizedPareto(t(0.5), t(1.5), t(-0.4)),
        (0.5, 0.5 + 1.5 / 0.4 - 1e-9),
    ),
    "von Mises": (lambda: D.VonMises(t(0.5), t(2.0)), (-math.pi, math.pi)),
    "mixture": (
        lambda: D.MixtureSameFamily(
            D.Categorical(t(0.3, 0.7)), D.Normal(t(-2.0, 3.0), t(0.5, 1.5))
        ),
        LINE,
    ),
    "squashed": (
        lambda: D.TransformedDistribution(D.Normal(t(0.2), t(0.5)), D.TanhTransform()),
        (-1 + 1e-9, 1 - 1e-9),
    ),
}


def grid(interval, n=200_001):
    return torch.linspace(*interval, n, dtype=f64)


def integral(y, x):
    y, x = y.numpy(), x.numpy()
    return float(np.sum((y[1:] + y[:-1]) / 2 * np.diff(x)))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_density_its_moments_its_entropy_and_its_cdf(name):
    make, interval = CONTINUOUS[name]
    d, x = make(), grid(interval)
    log_p = d.log_prob(x)
    p = log_p.exp()
    assert integral(p, x) == pytest.approx(1, abs=2e-4)
    if name == "squashed":
        pass  # no moments in closed form
    elif name != "von Mises":  # whose moments are those of a circle
        mean = integral(p * x, x)
        assert d.mean.item() == pytest.approx(mean, abs=1e-3)
        assert d.variance.item() == pytest.approx(integral(p * (x - mean) ** 2, x), rel=2e-3)
        assert d.stddev.item() == pytest.approx(d.variance.item() ** 0.5)
    else:
        mean_cosine = integral(p * (x - d.mean).cos(), x)
        assert d.variance.item() == pytest.approx(1 - mean_cosine, abs=1e-4)
    with contextlib.suppress(NotImplementedError):
        finite = torch.where(p > 0, log_p, 0.0)
        assert d.entropy().item() == pytest.approx(-integral(p * finite, x), abs=2e-3)
    try:
        middle = x[30_000:-30_000:20_000]
        below = d.cdf(middle)
    except NotImplementedError:
        return
    for end, value in zip(middle, below, strict=True):
        part = x <= end
        assert value.item() == pytest.approx(integral(p[part], x[part]), abs=3e-4)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_icdf_is_the_inverse_of_cdf(name):
    d = CONTINUOUS[name][0]()
    q = torch.linspace(0.05, 0.95, 7, dtype=f64)
    try:
        x = d.icdf(q)
    except NotImplementedError:
        pytest.skip("no closed form")
    assert d.cdf(x).tolist() == pytest.approx(q.tolist(), abs=1e-9)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_samples_have_the_distribution(name):
    """By the probability integral transform, or by the first two moments."""
    d, n = CONTINUOUS[name][0](), 3000
    torch.manual_seed(1)
    x = d.sample((n,))
    assert x.shape == (n,) and x.dtype == f64 and not x.requires_grad
    try:
        u = d.cdf(x).sort()[0]
    except NotImplementedError:
        if name == "von Mises":
            assert x.cos().mean().item() == pytest.approx(
                (1 - d.variance.item()) * math.cos(0.5), abs=0.05
            )
            return
        error = 4 * (d.variance.item() / n) ** 0.5
        assert x.mean().item() == pytest.approx(d.mean.item(), abs=error)
        assert x.var().item() == pytest.approx(d.variance.item(), rel=0.3)
        return
    uniform = (torch.arange(n, dtype=f64) + 0.5) / n
    assert (u - uniform).abs().max().item() < 1.95 / n**0.5  # Kolmogorov and Smirnov, 0.1 %


DISCRETE = {
    "Bernoulli": (lambda: D.Bernoulli(t(0.3)), 2),
    "binomial": (lambda: D.Binomial(12, t(0.3)), 13),
    "geometric": (lambda: D.Geometric(t(0.3)), 200),
    "negative binomial": (lambda: D.NegativeBinomial(t(3.5), t(0.4)), 200),
    "Poisson": (lambda: D.Poisson(t(4.5)), 100),
    "large Poisson": (lambda: D.Poisson(t(25.0)), 150),
    "large binomial": (lambda: D.Binomial(60, t(0.7)), 61),
    "categorical": (lambda: D.Categorical(t(0.2, 0.5, 0.3)), 3),
}


@pytest.mark.parametrize("name", DISCRETE)
def test_probabilities_their_moments_and_samples(name):
    make, n = DISCRETE[name]
    d = make()
    k = torch.arange(n, dtype=f64)
    log_p = d.log_prob(k)
    p = log_p.exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-9)
    mean = (p * k).sum().item()
    variance = (p * (k - mean) ** 2).sum().item()
    if name != "categorical":
        assert d.mean.item() == pytest.approx(mean)
        assert d.variance.item() == pytest.approx(variance)
        assert d.mode.item() == p.argmax().item()
    with contextlib.suppress(NotImplementedError):
        assert d.entropy().item() == pytest.approx(-(p * log_p).sum().item(), abs=1e-6)
    torch.manual_seed(2)
    x = d.sample((4000,)).double()
    assert x.mean().item() == pytest.approx(mean, abs=4 * (variance / 4000) ** 0.5)
    assert x.var().item() == pytest.approx(variance, rel=0.15)
    if d.has_enumerate_support:
        assert d.enumerate_support().tolist() == list(range(n))


def test_dirichlet_multinomial_and_the_normal_of_vectors_have_their_moments():
    torch.manual_seed(3)
    for d in (
        D.Dirichlet(t(0.5, 2.0, 4.0)),
        D.Multinomial(6, t(0.2, 0.3, 0.5)),
        D.MultivariateNormal(t(1.0, -1.0), t([[2.0, 0.6], [0.6, 1.0]])),
        D.LowRankMultivariateNormal(t(1.0, -1.0), t([[1.0], [0.5]]), t(0.5, 1.0)),
    ):
        x = d.sample((4000,))
        assert (x.mean(0) - d.mean).abs().max().item() < 0.1
        assert ((x.var(0) - d.variance) / d.variance).abs().max().item() < 0.15


def test_the_normal_of_vectors_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    cov = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, 0.2], [0.1, 0.2, 0.7]])
    x, loc = np.random.default_rng(0).normal(size=(5, 3)), np.array([1.0, 0.0, -1.0])
    expected = stats.multivariate_normal(loc, cov).logpdf(x)
    d = D.MultivariateNormal(t(loc.tolist()), t(cov.tolist()))
    for same in (
        d,
        D.MultivariateNormal(d.loc, precision_matrix=d.precision_matrix),
        D.MultivariateNormal(d.loc, scale_tril=d.scale_tril),
        d.expand((2, 5)),
    ):
        assert same.log_prob(torch.tensor(x))[..., -5:].flatten()[-5:].tolist() == pytest.approx(
            expected.tolist()
        )
    factor, diagonal = t([[1.0], [0.5], [-1.0]]), t(0.5, 1.0, 2.0)
    low = D.LowRankMultivariateNormal(d.loc, factor, diagonal)
    full = D.MultivariateNormal(d.loc, factor @ factor.mT + torch.diag(diagonal))
    y = torch.tensor(x)
    assert low.log_prob(y).tolist() == pytest.approx(full.log_prob(y).tolist())
    for name in ("scale_tril", "precision_matrix", "covariance_matrix"):
        assert torch.allclose(getattr(low, name), getattr(full, name))
    for p, q in ((low, d), (d, low), (low, low.expand((2,)))):
        as_full = [D.MultivariateNormal(g.loc, g.covariance_matrix) for g in (p, q)]
        kl, expected_kl = D.kl_divergence(p, q), D.kl_divergence(*as_full)
        assert torch.allclose(kl, expected_kl, atol=1e-10)


PAIRS = [
    ("normal", "Laplace", LINE),
    ("normal", "Gumbel", (-12.0, 14.0)),
    ("Laplace", "normal", LINE),
    ("Gumbel", "normal", (-12.0, 40.0)),
    ("gamma", "exponential", HALF),
    ("gamma", "Gumbel", HALF),
    ("gamma", "normal", HALF),
    ("exponential", "gamma", HALF),
    ("exponential", "Gumbel", HALF),
    ("beta", "gamma", UNIT),
    ("beta", "normal", UNIT),
    ("beta", "continuous Bernoulli", UNIT),
    ("continuous Bernoulli", "exponential", UNIT),
    ("uniform", "Gumbel", (-1.0, 2.0 - 1e-12)),
    ("uniform", "normal", (-1.0, 2.0 - 1e-12)),
]


@pytest.mark.parametrize("first, second, interval", PAIRS)
def test_divergences_by_quadrature(first, second, interval):
    p, q = (CONTINUOUS[name][0]() for name in (first, second))
    x = grid(interval)[1:-1]
    log_p, log_q = p.log_prob(x), q.log_prob(x)
    weight = torch.where(log_p.exp() > 0, log_p.exp() * (log_p - log_q), 0.0)
    assert D.kl_divergence(p, q).item() == pytest.approx(integral(weight, x), abs=5e-3)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_divergence_from_itself_is_0(name):
    p, q = (CONTINUOUS[name][0]() for _ in range(2))
    try:
        kl = D.kl_divergence(p, q)
    except NotImplementedError:
        pytest.skip("no closed form")
    assert kl.item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(
    "name", ["normal", "gamma", "exponential", "beta", "Dirichlet", "Bernoulli"]
)
def test_bregman_divergences_agree_with_the_closed_forms(name):
    from microtorch.distributions import kl

    make = {
        "normal": lambda a: D.Normal(t(a), t(1.0 + a)),
        "gamma": lambda a: D.Gamma(t(1.0 + a), t(0.5 + a)),
        "exponential": lambda a: D.Exponential(t(0.5 + a)),
        "beta": lambda a: D.Beta(t(0.5 + a), t(1.5)),
        "Dirichlet": lambda a: D.Dirichlet(t(0.5 + a, 1.0, 2.0)),
        "Bernoulli": lambda a: D.Bernoulli(t(0.3 + a)),
    }[name]
    p, q = make(0.1), make(0.4)
    assert kl._exponential_family(p, q).item() == pytest.approx(D.kl_divergence(p, q).item())
    if name not in ("beta", "Dirichlet"):  # whose carrier measure PyTorch does not define
        assert D.ExponentialFamily.entropy(p).item() == pytest.approx(p.entropy().item())
