"""Draws that must be PyTorch's to the last bit, and what follows them in the generator."""

SHAPES = "t([1e-3, 0.1, 0.9, 1.0, 1.5, 10.0, 1e4])"
COUNTS = "t([0.0, 1.0, 10.0, 20.0, 100.0, 1e5])"

DRAWS = {
    "gamma": f"torch._standard_gamma({SHAPES}.expand(3, 7))",
    "Dirichlet": "torch._sample_dirichlet("
    "t([[0.1, 0.5, 3.0], [1e-3, 1e-2, 1e-3]]).expand(2, 2, 3))",
    "Poisson": "torch.poisson(t([0.0, 0.1, 5.0, 9.9, 10.0, 30.0, 1e6]).expand(4, 7))",
    "binomial, few": f"torch.binomial({COUNTS}.expand(3, 6), t(0.02).expand(3, 6))",
    "binomial, many": f"torch.binomial({COUNTS}.expand(3, 6), t(0.4).expand(3, 6))",
    "binomial, most": f"torch.binomial({COUNTS}.expand(3, 6), t(0.8).expand(3, 6))",
    "binomial, sure": f"torch.binomial({COUNTS}, t([0.0, 1.0, 0.5, 1.0, 0.0, 1.0]))",
    "an odd number of normals": "torch._standard_gamma(t([2.0]))",
}


def draw(text, torch):
    """For both dtypes: the numbers, exactly, and a normal and a uniform after them."""
    found = {}
    for name in ("float32", "float64"):
        dtype = getattr(torch, name)

        def t(values, dtype=dtype):
            return torch.tensor(values, dtype=dtype)

        torch.manual_seed(7)
        out = eval(text, {"torch": torch, "t": t})
        after = [torch.randn(1).item(), torch.rand(1).item()]
        found[name] = [out.flatten().tolist(), after]
    return found
