"""Gradients by finite differences, and the path gradients of gamma and beta by quantiles."""

import numpy as np
import pytest

import microtorch as torch
import microtorch.distributions as D
from microtorch.distributions import path_gradients

from .cases import CASES, evaluate

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
f64 = torch.float64


def family(name):
    """The distribution as a function of its parameters, and these."""
    text = CASES[name]
    parameters = evaluate(text, torch)[1]

    def make(*values):
        rest = iter(values)
        return eval(text, {"D": D, "p": lambda _: next(rest)})

    return make, [p.detach().requires_grad_() for p in parameters]


# of those with matrices, a finite difference would leave the symmetric ones
SMOOTH = [n for n in CASES if not any(s in n for s in ("covariance", "precision", "batch", "Wish"))]
SMOOTH = [n for n in SMOOTH if evaluate(CASES[n], torch)[1] and n not in ("copula", "LKJ")]


@pytest.mark.parametrize("name", SMOOTH)
def test_log_prob(name):
    make, parameters = family(name)
    torch.manual_seed(0)
    x = make(*parameters).sample((2,)).detach()
    # simplices that sum to 1 only nearly, after a change of weights, are no concern here
    D.Distribution.set_default_validate_args(False)
    try:
        assert torch.autograd.gradcheck(
            lambda *values: make(*values).log_prob(x).sum(), parameters, atol=1e-4, rtol=2e-3
        )
    finally:
        D.Distribution.set_default_validate_args(True)


@pytest.mark.parametrize(
    "name",
    [
        "normal", "log-normal", "half-normal", "Cauchy", "uniform", "exponential", "Laplace",
        "Gumbel", "Kumaraswamy", "Pareto", "generalized Pareto", "Weibull", "continuous Bernoulli",
        "relaxed Bernoulli", "normal, factor", "normal, low rank", "logistic normal", "flow",
    ],
)  # fmt: skip
def test_rsample_is_differentiable_in_its_parameters(name):
    """With the same noise each time, a sample is a function of the parameters."""
    make, parameters = family(name)

    def sample(*values):
        torch.manual_seed(1)
        return make(*values).rsample((2,))

    D.Distribution.set_default_validate_args(False)
    try:
        assert torch.autograd.gradcheck(sample, parameters, atol=1e-4, rtol=1e-3)
    finally:
        D.Distribution.set_default_validate_args(True)


def test_a_generalized_pareto_of_concentration_0():
    k = torch.zeros(3, dtype=f64, requires_grad=True)
    x = torch.tensor([0.1, 0.5, 0.9], dtype=f64)
    for name in ("log_prob", "log_survival_function", "icdf"):
        assert torch.autograd.gradcheck(
            lambda k, name=name: getattr(D.GeneralizedPareto(0.0, 2.0, k), name)(x), (k,)
        )


def test_second_derivatives():
    loc = torch.tensor([0.3, -0.2], dtype=f64, requires_grad=True)
    scale = torch.tensor([0.5, 2.0], dtype=f64, requires_grad=True)
    x = torch.tensor([0.1, 1.0], dtype=f64)
    for f in (
        lambda m, s: D.Normal(m, s).log_prob(x),
        lambda m, s: D.kl_divergence(D.Normal(m, s), D.Normal(s, s + 1)),
        lambda m, s: D.Gamma(s, s + 1).log_prob(x),
        lambda m, s: D.Beta(s, s + 1).entropy(),
        lambda m, s: D.Categorical(logits=m).log_prob(torch.tensor(1)) + 0 * s,
    ):
        assert torch.autograd.gradgradcheck(f, (loc, scale))


def test_gamma_path_gradients_by_quantiles():
    """dx/da at a fixed probability, by differences of scipy's quantile function."""
    special = pytest.importorskip("scipy.special")
    rng = np.random.default_rng(0)
    a = np.exp(rng.uniform(-1.5, 5.0, 500))
    u = rng.uniform(0.01, 0.99, 500)
    h = 1e-5 * a
    slope = (special.gammaincinv(a + h, u) - special.gammaincinv(a - h, u)) / (2 * h)
    x = special.gammaincinv(a, u)
    assert path_gradients.gamma(a, x) == pytest.approx(slope, rel=5e-3, abs=1e-6)


def test_beta_path_gradients_by_quantiles():
    special = pytest.importorskip("scipy.special")
    rng = np.random.default_rng(1)
    a, b = np.exp(rng.uniform(-1.0, 4.0, (2, 500)))
    u = rng.uniform(0.02, 0.98, 500)
    h = 1e-5 * a
    slope = (special.betaincinv(a + h, b, u) - special.betaincinv(a - h, b, u)) / (2 * h)
    x = special.betaincinv(a, b, u)
    inside = (x > 1e-4) & (x < 1 - 1e-4)
    now = path_gradients.beta(x, a, a + b) * (1 - x)
    assert now[inside] == pytest.approx(slope[inside], rel=2e-2, abs=1e-5)


def test_digamma():
    special = pytest.importorskip("scipy.special")
    x = np.array([1e-3, 0.1, 0.5, 1.0, 3.3, 10.0, 11.0, 1e5])
    assert path_gradients.digamma(x) == pytest.approx(special.psi(x), rel=1e-13)


def test_the_mean_of_a_gamma_moves_with_its_parameters():
    """E[x] = a / r: the mean of the path gradients is 1 / r, and -a / r²."""
    a = torch.tensor(2.5, dtype=f64, requires_grad=True)
    r = torch.tensor(0.8, dtype=f64, requires_grad=True)
    torch.manual_seed(0)
    D.Gamma(a, r).rsample((4000,)).mean().backward()
    assert a.grad.item() == pytest.approx(1 / 0.8, rel=0.05)
    assert r.grad.item() == pytest.approx(-2.5 / 0.8**2, rel=0.05)


def test_no_second_derivative_of_a_gamma_sample():
    a = torch.tensor([2.0], dtype=f64, requires_grad=True)
    x = D.Gamma(a, 1.0).rsample()
    (g,) = torch.autograd.grad((x**2).sum(), a, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()
