"""The polynomials are computed by scipy, which may be absent: test_polynomials.py tests them."""

CHEBYSHEV = [f"{shift}chebyshev_polynomial_{k}" for shift in ("", "shifted_") for k in "tuvw"]
OTHERS = (
    "hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l",
    "legendre_polynomial_p",
)  # fmt: skip
EXCUSED_POLYNOMIALS = dict.fromkeys((*CHEBYSHEV, *OTHERS), "test_polynomials.py")
