"""Numbers, shapes and counts as every output writes them.

"Not computed" is ``–``, never 0: a gradient of zero is a fact about the function, a missing one is
not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

MISSING = "–"


def number(v: complex | None, decimals: int = 4) -> str:
    """A value in a node: four decimals, ``1.7e−9`` when small, ``0`` only when exactly zero.

    A complex number has two: ``0.5000+1.7e−9i``.
    """
    if v is None:
        return MISSING
    if isinstance(v, complex):
        return _complex(number(v.real, decimals), number(v.imag, decimals))
    if isinstance(v, bool):
        return str(v)
    if isinstance(v, int):
        return str(v).replace("-", "−")
    if not 1e-3 <= abs(v) < 1e5:
        return _special(v) or _scientific(v, decimals - 3)
    return f"{v:.{decimals}f}".replace("-", "−")


def value(text: str) -> float:
    """The number that a text of ``number`` says."""
    return float(text.replace("−", "-").replace("∞", "inf"))


def short(v: complex | None) -> str:
    """A value on a chip: three significant digits (``1230``), of a complex number each part."""
    if v is None:
        return MISSING
    if isinstance(v, complex):
        return _complex(short(v.real), short(v.imag))
    return _special(v) or (
        _scientific(v) if not 1e-3 <= abs(v) < 1e5 else f"{float(f'{v:.3g}'):g}".replace("-", "−")
    )


def exact(v: float) -> str:
    """A value to compare with another: six decimals, or six digits where those would be few."""
    plain = 1e-3 <= abs(v) < 1e5
    return _special(v) or (f"{v:.6f}".replace("-", "−") if plain else _scientific(v, 5))


def rms(v: float | None) -> str:
    """The size of an array, the root of the mean of its squared elements: ``rms 2.97``."""
    return f"rms {short(v)}"


def literal(v: complex) -> str:
    """A Python number as it would be written in code: ``2``, ``0.5``; a complex one ``1+2i``."""
    if isinstance(v, complex):
        return _complex(literal(v.real), literal(v.imag)) if v.imag else literal(v.real)
    text = f"{v:g}".replace("-", "−")
    return _special(float(v)) or re.sub(r"e\+?(−?)0*", r"e\1", text)


def _complex(real: str, imag: str) -> str:
    return f"{real}{imag if imag[0] == '−' else f'+{imag}'}i"


def _special(v: float) -> str:
    if v != v:
        return "NaN"
    if math.isinf(v):
        return "∞" if v > 0 else "−∞"
    return "0" if v == 0 else ""


def _scientific(v: float, decimals: int = 1) -> str:
    mantissa, exponent = f"{v:.{decimals}e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def shape(s: Sequence[int]) -> str:
    """``32×16``, and ``scalar`` for no dimensions."""
    return "×".join(map(str, s)) if s else "scalar"


def count(n: int, word: str, plural: str = "") -> str:
    """``1 node``, ``12,345 nodes``."""
    return f"{n:,} {word if n == 1 else plural or word + 's'}"


def size_of(n: float) -> str:
    """``640 bytes``, ``25.0 KB``, ``1.2 MB``."""
    if n < 1024:
        return f"{n:.0f} bytes"
    return f"{n / 1024:.1f} KB" if n < 2**20 else f"{n / 2**20:.1f} MB"


# what TeX calls the letters that a name may have and that pdflatex does not know
GREEK = {
    chr(0x3B1 + k): rf"\{name}"
    for k, name in enumerate(
        "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi o pi rho "
        "varsigma sigma tau upsilon varphi chi psi omega".split()
    )
} | {c: rf"\{name}" for c, name in zip("ΓΔΘΛΞΠΣΥΦΨΩ", (
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
), strict=True)}  # fmt: skip
