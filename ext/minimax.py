"""The coefficients of float.cl, exp.cl and functions.cl: minimax polynomials.

    python ext/minimax.py        prints them, rounded to float32, with the error before rounding

On an interval, a minimax polynomial has the smallest possible largest error. By Remez's exchange
algorithm (Muller, Elementary Functions, 3rd ed., section 3.4): a polynomial of n coefficients is
the best one if its error reaches its largest value n + 1 times with alternating signs (Chebyshev).
So solve for a polynomial whose error is +e, -e, +e, ... at n + 1 points, move the points to where
the error is largest, and repeat.

Each row has the function that is approximated, the weight that makes an error of the polynomial the
relative error of the result, and the interval. In sin r = r + r^3 p(r^2), an error of p counts r^2
times. Needs numpy.
"""
import math

import numpy as np

LN2, SQRT = math.log(2), math.sqrt
erf, erfc = np.vectorize(math.erf), np.vectorize(math.erfc)


def series(terms, start=0):
    """The power series with coefficients terms(k), from term ``start`` on, divided by x^start.

    A closed formula would cancel near 0.
    """
    coefficients = [float(terms(k)) for k in range(start, start + 40)]
    return lambda x: np.polynomial.polynomial.polyval(x, coefficients)


def factorial(k):
    return math.factorial(k)


exp_tail = series(lambda k: 1 / factorial(k), 2)


def log_tail(f):
    return (np.log1p(f) - f + f * f / 2) / f**3


def erf_ratio(z):
    return erf(np.sqrt(z)) / np.sqrt(z)


def scaled_erfc(t):
    x = 2 / t - 2
    return np.exp(x * x) * erfc(x) / t


# name: what is approximated, weight of its error, interval, number of coefficients
ROWS = {
    "exp": (exp_tail, lambda r: r * r, (-LN2 / 2, LN2 / 2), 5),
    "exp, with a table": (exp_tail, lambda r: r * r, (-LN2 / 32, LN2 / 32), 2),
    "expm1": (exp_tail, np.abs, (-LN2 / 2, LN2 / 2), 6),
    "tanh, e^r - 1 in it": (exp_tail, np.abs, (-LN2 / 2, LN2 / 2), 5),
    "tanh h, in h^2": (
        lambda u: (np.tanh(np.sqrt(u)) / np.sqrt(u) - 1) / u,
        lambda u: u * np.sqrt(u) / np.tanh(np.sqrt(u)), (1e-6, (LN2 / 4) ** 2), 2),
    "exp2": (series(lambda k: LN2**k / factorial(k), 1), np.abs, (-0.5, 0.5), 6),
    "log": (log_tail, lambda f: f * f, (SQRT(0.5) - 1, SQRT(2) - 1), 8),
    "sin, in r^2": (
        series(lambda k: (-1) ** k / factorial(2 * k + 1), 1), lambda z: z, (0, 0.64), 3),
    "cos, in r^2": (
        series(lambda k: (-1) ** k / factorial(2 * k), 2), lambda z: z * z, (0, 0.64), 3),
    "erf, in x^2": (lambda z: erf_ratio(z) - 1, lambda z: 1 / erf_ratio(z), (1e-9, 1), 6),
    "erfc^(1/4), in |x| - 1.375": (
        lambda t: erfc(t + 1.375) ** 0.25,
        lambda t: 4 * erfc(t + 1.375) ** 0.75, (-0.375, 2.465), 8),
    "e^(x^2) erfc(x) / t, in t = 2 / (2 + x)": (
        scaled_erfc, lambda t: 1 / scaled_erfc(t), (0.16, 1), 10),
    "log(1 + r), with a table": (
        lambda r: (np.log1p(r) - r) / np.where(r == 0, 1, r * r) - 0.5 * (r == 0), np.abs,
        (-1 / 60 - 2e-4, 1 / 60 + 2e-4), 3),
    "atan, in r^2": (series(lambda k: (-1) ** k / (2 * k + 1), 1), lambda z: z, (0, 0.1716), 4),
    "asin, in r^2": (
        series(lambda k: math.comb(2 * k, k) / (4**k * (2 * k + 1)), 1), lambda z: z, (0, 0.25), 5),
}  # fmt: skip


SPACING = 1075 / 4096  # so that 16 intervals reach beyond 3.92, and erf(SPACING) is almost a float


def erf_around(k):
    """A row for erf(k SPACING + t).

    Around 0 it is erf(t) / t - 1, so that the relative error is small there too.
    """
    half = SPACING / 2
    if k == 0:
        scale = 2 / SQRT(math.pi)
        term = lambda i: scale * (-1) ** i / factorial(i) / (2 * i + 1)  # noqa: E731
        ratio = series(lambda j: 0 if j % 2 else term(j // 2))
        return lambda t: ratio(t) - 1, np.ones_like, (0, half), 5
    return lambda t: erf(SPACING * k + t), lambda t: 1 / erf(SPACING * k + t), (-half, half), 6


# ---- the tables of 32 (lookup_wide.h)
WIDTH = 2424 / 8192  # so that tanh of it and of its double, and the slopes there, are almost floats


def tanh_around(k):
    """The coefficients for tanh(k WIDTH + t), lowest first, for k = 0 less t."""
    half = WIDTH / 2
    if k == 0:
        ratio = lambda t: np.tanh(t) / t - 1  # noqa: E731
        return np.append(0, remez(ratio, np.ones_like, (1e-3, half), 6)[0])
    if k == 31:
        return np.eye(7)[0]
    if k < 6:
        centre = WIDTH * k
        there = lambda t: np.tanh(centre + t)  # noqa: E731
        return remez(there, lambda t: 1 / there(t), (-half, half), 7)[0]
    # nearly 1: the difference to 1 would cancel, so it is what is interpolated (Chebyshev's points)
    t = half * np.cos((np.arange(7) + 0.5) * math.pi / 7)
    row = np.linalg.solve(np.vander(t, 7, increasing=True), -2 / (np.exp(2 * (WIDTH * k + t)) + 1))
    return row + np.eye(7)[0]


def reciprocals():
    """C and L = -log C for the 31 C near 40/30 ... 40/60, at the places of the denominators mod 32.

    Of the floats near each, the one whose logarithm is nearest to a float.
    """
    c, logarithms = np.ones(32), np.zeros(32)
    for k in {*range(30, 61)} - {40}:
        near = np.float32(40 / k)
        floats = (near.view(np.int32) + np.arange(-400, 401, dtype=np.int32)).view(np.float32)
        exact = -np.log(floats.astype(np.longdouble))
        best = np.argmin(np.abs(1 - exact.astype(np.float32) / exact))
        c[k % 32], logarithms[k % 32] = floats[best], exact[best]
    return c, logarithms


def remez(function, weight, interval, n):
    """n coefficients, lowest first, and the largest weighted error."""
    low, high = interval
    x = (low + high) / 2 - (high - low) / 2 * np.cos(np.linspace(0, np.pi, 20000))
    values, weights = function(x), np.maximum(weight(x), 1e-30)
    powers = np.vander(x, n, increasing=True)
    points = np.linspace(0, len(x) - 1, n + 1).astype(int)
    for _ in range(30):
        system = np.column_stack([powers[points], (-1.0) ** np.arange(n + 1) / weights[points]])
        coefficients = np.linalg.solve(system, values[points])[:-1]
        error = (powers @ coefficients - values) * weights
        arcs = np.split(np.arange(len(x)), np.flatnonzero(np.diff(np.sign(error))) + 1)
        peaks = [arc[np.argmax(np.abs(error[arc]))] for arc in arcs]
        while len(peaks) > n + 1:  # too many changes of sign: drop the lower one of the outer peaks
            peaks.pop(0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1)
        if len(peaks) < n + 1:
            break
        points = np.array(peaks)
    return coefficients, np.abs(error).max()


def printed(numbers):
    return " ".join(f"{np.float32(c):.9g}" for c in numbers)


if __name__ == "__main__":
    for name, (function, weight, interval, n) in ROWS.items():
        with np.errstate(all="ignore"):
            coefficients, error = remez(function, weight, interval, n)
        print(f"{name}: error 2^{math.log2(error):.1f}\n   ", printed(coefficients))
    print("\ntables of lookup.h, for k = 0, 1, ... 15")
    powers = 2 ** (np.arange(16) / 16)
    lost = powers / np.float32(powers) - 1
    print("2^(k/16)\n   ", printed(powers))
    print("and what rounding took, relative to it\n   ", printed(lost))
    found = [remez(*erf_around(k)) for k in range(15)]
    rows = [np.append(0, found[0][0]), *(row for row, _ in found[1:]), np.eye(6)[0]]  # the last: 1
    largest = math.log2(max(error for _, error in found))
    print(f"erf(1075/4096 k + t), for k = 0 less t: error 2^{largest:.1f}")
    for power, column in enumerate(np.array(rows).T):
        print(f"    t^{power}: {printed(column)}")
    print("\ntables of lookup_wide.h, for k = 0, 1, ... 31")
    for name, column in zip(("C", "-log C"), reciprocals(), strict=True):
        print(f"{name}\n   ", printed(column))
    print("tanh(2424/8192 k + t), for k = 0 less t")
    for power, column in enumerate(np.array([tanh_around(k) for k in range(32)]).T):
        print(f"    t^{power}: {printed(column)}")
