"""The figures as a table, Markdown that can be read in a terminal, and as JSON."""
from __future__ import annotations

import datetime
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import microtorch
from microtorch import backends

from .cases import Result

CONTESTANTS = tuple(
    "microtorch eager interpreter torch jax numpy autograd closures".split()
)


def machine() -> dict[str, Any]:
    """Where, when and with which versions. Without it no figure means anything."""
    versions = {"microtorch": microtorch.version.MICROTORCH}
    for name in ("numpy", "torch", "jax", "autograd"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": _cpu(),
        "cpus": _cpus(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "backend": backends.current(),
        "versions": versions,
    }


def _cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "unknown")


def heading(about: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"{about['date']}, {about['cpu']}, {about['cpus']} CPUs, {about['system']}, "
        f"{about['python']}\n"
        f"{versions}; microtorch's backend: {about['backend']}"
    )


def quantity(value: float | None, unit: str) -> str:
    """1.234e-6 s as '1.23 µs'; megabytes as they are."""
    if value is None:
        return ""
    if unit == "MB":
        return f"{value:.0f} MB"
    larger = ((1, "s"), (1e3, "ms"), (1e6, "µs"))
    factor, name = next(((f, n) for f, n in larger if value * f >= 1), (1e9, "ns"))
    shown = value * factor
    return f"{shown:.{max(0, 2 - int(math.log10(max(shown, 1))))}f} {name}"  # three digits


def ratio_text(ratio: float) -> str:
    """Two decimals; of small ones two digits, and no exponent: 0.00024."""
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.{1 - math.floor(math.log10(ratio))}f}"


def rows(results: Sequence[Result]) -> list[list[str]]:
    """A heading and a row per result. The ratio is to the target's rival, or else to PyTorch."""
    present = [who for who in CONTESTANTS if any(who in r.figures for r in results)]
    table = [["case", *present, "ratio", "target"]]
    for r in results:
        rival = r.target[0] if r.target else "torch"
        ratio = f"{ratio_text(r.ratio(rival))} x {rival}" if rival in r.figures else ""
        target = ""
        if r.target is not None:
            verdict = {True: " reached", False: " MISSED", None: ""}[r.reached]
            target = f"<= {r.target[1]:.3g} x {r.target[0]}{verdict}"
        threads = f" ({r.threads} threads)" if r.threads > 1 else ""
        figures = [quantity(r.figures.get(who), r.unit) for who in present]
        table.append([r.what + threads, *figures, ratio, target])
    return table


def markdown(results: Sequence[Result]) -> str:
    """The table with its columns aligned."""
    table = rows(results)
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    right = range(1, len(widths) - 2)  # figures
    rule = ["-" * (w - 1) + (":" if i in right else "-") for i, w in enumerate(widths)]

    def line(row: list[str]) -> str:
        cells = enumerate(zip(row, widths, strict=True))
        return f"| {' | '.join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in cells)} |"

    return "\n".join(line(row) for row in (table[0], rule, *table[1:]))


def as_json(about: dict[str, Any], results: Sequence[Result]) -> str:
    cases = [
        {
            "name": r.name,
            "what": r.what,
            "unit": r.unit,
            "threads": r.threads,
            "figures": r.figures,
            "target": r.target,
            "reached": r.reached,
        }
        for r in results
    ]
    return json.dumps({"machine": about, "results": cases}, indent=1)
