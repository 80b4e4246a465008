"""Distributions of every kind, as expressions that PyTorch and microtorch both evaluate.

``D`` is torch.distributions; ``p(...)`` makes a parameter, a tensor of float64 with gradient.
"""

ROWS = "p([[0.5], [2.0]])"
POSITIVE = "p([0.3, 1.5, 4.0])"
ANY = "p([-1.0, 0.0, 2.0])"
CHANCES = "p([[0.1, 0.5, 0.9], [0.25, 0.49, 0.7]])"
WEIGHTS = "p([[0.2, 0.5, 0.3], [1.0, 1.0, 2.0]])"
MATRIX = "p([[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 3.0]])"
FACTOR = "p([[1.0, 0.0, 0.0], [0.5, 1.2, 0.0], [-0.3, 0.2, 0.7]])"
MATRICES = "p([[[2.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [0.0, 3.0]]])"

CASES = {
    "normal": f"D.Normal({ANY}, {ROWS})",
    "normal of numbers": "D.Normal(0, 1.5)",
    "log-normal": f"D.LogNormal({ANY}, {ROWS})",
    "half-normal": f"D.HalfNormal({POSITIVE})",
    "Cauchy": f"D.Cauchy({ANY}, {ROWS})",
    "half-Cauchy": f"D.HalfCauchy({POSITIVE})",
    "uniform": f"D.Uniform({ANY}, p([2.0, 3.0, 4.0]))",
    "beta": f"D.Beta({POSITIVE}, {ROWS})",
    "gamma": f"D.Gamma({POSITIVE}, {ROWS})",
    "chi2": f"D.Chi2({POSITIVE})",
    "inverse gamma": f"D.InverseGamma({POSITIVE}, {ROWS})",
    "Dirichlet": f"D.Dirichlet({WEIGHTS})",
    "exponential": f"D.Exponential({POSITIVE})",
    "Laplace": f"D.Laplace({ANY}, {ROWS})",
    "Gumbel": f"D.Gumbel({ANY}, {POSITIVE})",
    "Kumaraswamy": f"D.Kumaraswamy({POSITIVE}, {ROWS})",
    "Pareto": f"D.Pareto({ROWS}, {POSITIVE})",
    "generalized Pareto": f"D.GeneralizedPareto({ANY}, {ROWS}, p([-0.3, 0.1, 0.4]))",
    "Student's t": f"D.StudentT({POSITIVE}, {ANY}, {ROWS})",
    "F": f"D.FisherSnedecor({POSITIVE}, p([[3.0], [6.0]]))",
    "Weibull": f"D.Weibull({ROWS}, {POSITIVE})",
    "von Mises": f"D.VonMises({ANY}, {ROWS})",
    "Bernoulli": f"D.Bernoulli({CHANCES})",
    "Bernoulli of logits": f"D.Bernoulli(logits={ANY})",
    "continuous Bernoulli": f"D.ContinuousBernoulli({CHANCES})",
    "geometric": f"D.Geometric({CHANCES})",
    "binomial": f"D.Binomial(40, {CHANCES})",
    "negative binomial": f"D.NegativeBinomial({ROWS}, p([0.1, 0.5, 0.9]))",
    "Poisson": "D.Poisson(p([0.3, 4.0, 30.0]))",
    "categorical": f"D.Categorical({WEIGHTS})",
    "categorical of logits": f"D.Categorical(logits={ANY})",
    "one-hot": f"D.OneHotCategorical({WEIGHTS})",
    "straight through": f"D.OneHotCategoricalStraightThrough({WEIGHTS})",
    "multinomial": f"D.Multinomial(7, {WEIGHTS})",
    "relaxed Bernoulli": f"D.RelaxedBernoulli(p(0.7), {CHANCES})",
    "relaxed one-hot": f"D.RelaxedOneHotCategorical(p(0.7), {WEIGHTS})",
    "normal, covariance": f"D.MultivariateNormal({ANY}, {MATRIX})",
    "normal, precision": f"D.MultivariateNormal({ANY}, precision_matrix={MATRIX})",
    "normal, factor": f"D.MultivariateNormal({ANY}, scale_tril={FACTOR})",
    "normal, batch": f"D.MultivariateNormal(p([[[0.0, 1.0]], [[2.0, 1.0]]]), {MATRICES})",
    "normal, low rank": "D.LowRankMultivariateNormal(p([[1.0, 0.0], [0.5, -1.0]]), "
    "p([[1.0], [0.5]]), p([0.5, 2.0]))",
    "logistic normal": f"D.LogisticNormal({ANY}, {ROWS})",
    "Wishart": f"D.Wishart(p(5.0), {MATRIX})",
    "LKJ": "D.LKJCholesky(3, p([0.5, 2.0]))",
    "independent": f"D.Independent(D.Normal({ANY}, {ROWS}), 1)",
    "mixture": f"D.MixtureSameFamily(D.Categorical({WEIGHTS}), D.Normal({ANY}, {ROWS}))",
    "mixture of vectors": "D.MixtureSameFamily(D.Categorical(logits=p([0.2, 0.5])), "
    f"D.Independent(D.Normal({ANY}, {ROWS}), 1))",
    "squashed": f"D.TransformedDistribution(D.Normal({ANY}, {POSITIVE}), [D.TanhTransform()])",
    "logistic": "D.TransformedDistribution(D.Uniform(0, 1), "
    f"[D.SigmoidTransform().inv, D.AffineTransform({ANY}, 2.0)])",
    "flow": f"D.TransformedDistribution(D.Normal({ANY}, {POSITIVE}), "
    "[D.SoftplusTransform(), D.PowerTransform(p(2.0)), D.ReshapeTransform((3,), (3, 1))])",
    "copula": f"D.TransformedDistribution(D.MultivariateNormal({ANY}, {MATRIX}), "
    "[D.CumulativeDistributionTransform(D.Normal(0.0, 2.0)), D.AffineTransform(0, -1.0)])",
}


def evaluate(text, torch):
    """The distribution of an expression, and its parameters."""
    parameters = []

    def p(values):
        parameters.append(torch.tensor(values, dtype=torch.float64, requires_grad=True))
        return parameters[-1]

    return eval(text, {"D": torch.distributions, "p": p}), parameters


def gradients(y, parameters):
    """Of the sum of y; None where it does not depend on a parameter."""
    for p in parameters:
        p.grad = None
    if parameters and y.requires_grad:
        y.sum().backward()
    return [None if p.grad is None else p.grad.tolist() for p in parameters]


def observe(text, torch):
    """Everything about a distribution that is recorded, as lists of numbers."""
    seen = {}
    torch.set_default_dtype(torch.float64)
    try:
        for what in ("mean", "variance", "mode", "entropy"):
            d, parameters = evaluate(text, torch)
            try:
                y = getattr(d, what)
                y = y() if callable(y) else y
            except NotImplementedError:
                continue
            seen[what] = y.tolist()
            seen[f"{what}, gradient"] = gradients(y, parameters)
        d, parameters = evaluate(text, torch)
        seen["shapes"] = [list(d.batch_shape), list(d.event_shape)]
        seen["repr"] = repr(d)
        seen["support"] = repr(d.support).split("(")[0]
        torch.manual_seed(5)
        x = d.sample((2,)).detach()
        seen["sample"] = x.tolist()
        seen["the next number"] = torch.rand(1).item()
        y = d.log_prob(x)
        seen["log_prob"] = y.tolist()
        seen["log_prob, gradient"] = gradients(y, parameters)
        if d.has_rsample and "Wishart" not in text:  # where PyTorch raises
            d, parameters = evaluate(text, torch)
            torch.manual_seed(6)
            seen["rsample, gradient"] = gradients(d.rsample((2,)) ** 2, parameters)
        if d.has_enumerate_support:
            seen["enumerated"] = d.enumerate_support().tolist()
    finally:
        torch.set_default_dtype(torch.float32)
    return seen
