"""torch.distributions: probability distributions, their transforms and divergences.

    policy = Categorical(logits=net(state))    # parameters broadcast; one distribution per row
    action = policy.sample()
    loss = -policy.log_prob(action) * reward

Samples for a seed are PyTorch's. `rsample` carries a gradient to the parameters.
"""

import importlib
from types import ModuleType

from ..base.errors import missing
from . import constraints, kl_pairs, transforms
from .categorical import (
    Categorical,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from .combined import Independent, MixtureSameFamily, TransformedDistribution
from .constraint_registry import biject_to, transform_to
from .counts import Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson
from .distribution import Distribution
from .exp_family import ExponentialFamily
from .gammas import Beta, Chi2, Dirichlet, Exponential, FisherSnedecor, Gamma
from .generalized_pareto import GeneralizedPareto
from .kl import kl_divergence, register_kl
from .location_scale import Cauchy, Laplace, Normal, StudentT, Uniform, VonMises
from .matrices import LKJCholesky, Wishart
from .multivariate_normal import LowRankMultivariateNormal, MultivariateNormal
from .relaxed import ContinuousBernoulli, RelaxedBernoulli, RelaxedOneHotCategorical
from .transformed import (
    Gumbel,
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    Kumaraswamy,
    LogisticNormal,
    LogNormal,
    Pareto,
    Weibull,
)
from .transforms import *  # noqa: F403

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "ContinuousBernoulli",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "ExponentialFamily",
    "FisherSnedecor",
    "Gamma",
    "GeneralizedPareto",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "InverseGamma",
    "Kumaraswamy",
    "LKJCholesky",
    "Laplace",
    "LogNormal",
    "LogisticNormal",
    "LowRankMultivariateNormal",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Pareto",
    "Poisson",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
    "VonMises",
    "Weibull",
    "Wishart",
    "biject_to",
    "kl_divergence",
    "register_kl",
    "transform_to",
]
__all__ += transforms.__all__

# imported for what it enters, and for users who name it
_ENTERED = (constraints, kl_pairs)

_unknown = missing(__name__, [*__all__, "constraints", "transforms"])


def __getattr__(name: str) -> ModuleType:
    """PyTorch's modules of one class each, such as `normal` (facade/paths.py)."""
    if name[0].islower():
        try:
            return importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError:
            pass
    return _unknown(name)
