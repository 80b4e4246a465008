"""How pictures look: colours and gradient heat, in one place, so that all outputs look alike.

* **Orange means gradient, everywhere and only there.** Blue is a parameter, grey is data, magenta
  is what was drawn.
* Colour never stands alone: each role also has its line (thick, dashed, double), which survives a
  grey printer.
* Heat classes are absolute, so that two pictures can be compared; the number is always printed on
  the chip.

Base colours: Okabe and Ito 2008 (Color Universal Design), darkened until text on them has a
contrast of 5:1 (WCAG 2.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FONT = "Helvetica,Arial,sans-serif"
ROLES = ("parameter", "data", "constant", "intermediate", "loss", "average")
HEAT_LIMITS = (0.0, 1e-6, 1e-4, 1e-2, 10.0)  # upper ends of all classes but the last
HEAT_WORDS = ("0", "≤ 1e−6 vanished", "≤ 1e−4", "≤ 0.01", "≤ 10", "> 10 exploding")


@dataclass(frozen=True)
class Theme:
    """The colours of one theme: (fill, line) per role, inks, scales of heat and thumbnails."""

    name: str
    background: str
    ink: str
    secondary: str
    gradient: str
    zero_edge: str  # a contribution of 0
    roles: Mapping[str, tuple[str, str]]
    op: tuple[str, str]
    module: tuple[str, str]
    heat: Sequence[str]
    heat_ink: Sequence[str]
    heat_line: str
    nan: tuple[str, str]  # fill, ink
    negative: str
    neutral: str
    positive: str
    gradient_cell: str  # thumbnail cell of the largest gradient
    edge: str
    derivative: str = "grad"  # what a derivative is called; in forward mode it is a tangent, ε


LIGHT = Theme(
    name="light",
    background="#FFFFFF",
    ink="#1F2328",
    secondary="#5A6270",
    gradient="#B03A00",
    zero_edge="#5A6270",
    roles={
        "parameter": ("#DCEBF8", "#0072B2"),
        "data": ("#F1F3F5", "#6B7480"),
        "constant": ("#FFFFFF", "#8A929C"),
        "intermediate": ("#FFFFFF", "#5A6270"),
        "loss": ("#F9E8F2", "#A8467E"),
        "average": ("#FFF7EF", "#B03A00"),
    },
    op=("#ECEFF3", "#5A6270"),
    module=("#F8F9FB", "#9AA3AF"),
    heat=("#E3E7ED", "#FFF7EF", "#FEE9D2", "#FDD5AE", "#F9B47C", "#B83F00"),
    heat_ink=("#1F2328",) * 5 + ("#FFFFFF",),
    heat_line="#C9A27E",
    nan=("#F0E442", "#000000"),
    negative="#762A83",
    neutral="#EEF0F3",
    positive="#1B7837",
    gradient_cell="#B03A00",
    edge="#5A6270",
)
DARK = Theme(
    name="dark",
    background="#14171C",
    ink="#E8EAED",
    secondary="#A7B0BC",
    gradient="#FF9A5C",
    zero_edge="#A7B0BC",
    roles={
        "parameter": ("#12344D", "#56B4E9"),
        "data": ("#22272E", "#98A2B0"),
        "constant": ("#14171C", "#7D8794"),
        "intermediate": ("#1C2128", "#98A2B0"),
        "loss": ("#43233A", "#E08CBC"),
        "average": ("#33241A", "#FF9A5C"),
    },
    op=("#2A3038", "#98A2B0"),
    module=("#191D23", "#5D6673"),
    heat=("#30363F", "#2B2521", "#42301F", "#633F1F", "#8F5420", "#FF9A5C"),
    heat_ink=("#E8EAED",) * 4 + ("#FFFFFF", "#14171C"),
    heat_line="#8A6242",
    nan=("#F0E442", "#000000"),
    negative="#B98AC9",
    neutral="#2E343C",
    positive="#5AAE61",
    gradient_cell="#FF9A5C",
    edge="#98A2B0",
)
PRINT = Theme(  # black ink and greys: roles by line alone, heat by the printed number
    name="print",
    background="#FFFFFF",
    ink="#000000",
    secondary="#3D3D3D",
    gradient="#000000",
    zero_edge="#6A6A6A",
    roles={
        "parameter": ("#E4E4E4", "#000000"),
        "data": ("#FFFFFF", "#4A4A4A"),
        "constant": ("#FFFFFF", "#6A6A6A"),
        "intermediate": ("#FFFFFF", "#4A4A4A"),
        "loss": ("#F2F2F2", "#000000"),
        "average": ("#FFFFFF", "#000000"),
    },
    op=("#F2F2F2", "#4A4A4A"),
    module=("#FAFAFA", "#7A7A7A"),
    heat=("#FFFFFF", "#F6F6F6", "#ECECEC", "#DEDEDE", "#CCCCCC", "#4A4A4A"),
    heat_ink=("#000000",) * 5 + ("#FFFFFF",),
    heat_line="#7A7A7A",
    nan=("#FFFFFF", "#000000"),
    negative="#2E2E2E",
    neutral="#F4F4F4",
    positive="#8C8C8C",
    gradient_cell="#3A3A3A",
    edge="#4A4A4A",
)
THEMES = {t.name: t for t in (LIGHT, DARK, PRINT)}


def theme(name: str) -> Theme:
    """The theme of that name. Raises ValueError with the names there are."""
    try:
        return THEMES[name]
    except (KeyError, TypeError):
        raise ValueError(
            f"theme={name!r} is not a theme; choose one of {', '.join(map(repr, THEMES))}"
        ) from None


# ---- colour --------------------------------------------------------------------------------------
def heat_class(rms: float) -> int:
    """The class of a gradient's size, 0 to 5. NaN and infinity have none; they are yellow."""
    return next((i for i, limit in enumerate(HEAT_LIMITS) if rms <= limit), 5)


def heat(t: Theme, rms: float) -> tuple[str, str]:
    """(fill, ink) of the chip of a gradient of that root mean square."""
    if not math.isfinite(rms):
        return t.nan
    i = heat_class(rms)
    return t.heat[i], t.heat_ink[i]


def mix(a: str, b: str, share: float) -> str:
    """The colour ``share`` of the way from ``a`` to ``b``."""
    parts = zip(_rgb(a), _rgb(b), strict=True)
    return "#" + "".join(f"{round(x + (y - x) * share):02X}" for x, y in parts)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def cell_colour(t: Theme, v: float | None, scale: float, gradient: bool) -> str:
    """The colour of one thumbnail cell; ``scale`` is the largest magnitude of its tensor."""
    if v is None or v != v or math.isinf(v):
        return t.nan[0]
    share = min(1.0, abs(v) / scale) if scale else 0.0
    if gradient:
        return mix(t.neutral, t.gradient_cell, share)
    return mix(t.neutral, t.negative if v < 0 else t.positive, share)


def contrast(a: str, b: str) -> float:
    """WCAG 2.1 contrast ratio of two colours, 1 to 21."""

    def luminance(colour: str) -> float:
        linear = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
            for c in (x / 255 for x in _rgb(colour))
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)
