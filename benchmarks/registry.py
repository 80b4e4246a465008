"""Every function at 100,000 elements, forward and with its backward pass, beside PyTorch.

    python -m benchmarks registry                the twenty worst ratios, and all above three
    python -m benchmarks registry sort cumprod   all figures of some
    python -m benchmarks registry --size 4000000 --kind double --above 1.2
                                                 of other operands, all figures above a ratio

``--kind`` is one of KINDS: another dtype, operands with gaps or transposed, or a second operand
that repeats as a row or a column does. What a library refuses for that kind is not counted.

The elementwise functions are the rows of notation/formulas.py; the others are programs below, one
line each, which run unchanged with either library. One thread; contestants take turns, and the
fastest turn counts. No function should take more than three times PyTorch's time: ``LIMIT``.
"""
from __future__ import annotations

import argparse
import functools
import importlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from microtorch import Tensor
from microtorch.notation import formulas

from .programs import PROGRAMS, more_operands

N, ROWS = 100_000, 100
LIMIT = 3.0
FLOATS = {
    "float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16",
    "complex": "complex64", "complex128": "complex128",
}  # fmt: skip
WHOLE = {"int": "int64", "int32": "int32", "int16": "int16", "uint8": "uint8", "mask": "bool"}
KINDS = (*FLOATS, "gaps", "transposed", "row", "column", *WHOLE)
# quadratic in their operands, cubic, or of a list of tiny tensors: not at other sizes
LEFT_OUT = frozenset({
    "cdist 1", "pdist", "combinations", "cat of 8,000", "stack of 1,000", "kron", "eigh", "svd",
    "qr", "lstsq", "pinv", "matrix_exp", "matrix_norm 2", "lu", "isin large",
})  # fmt: skip
# where an elementwise function is not defined on (0.1, 0.9)
SHIFTED = {"acosh": 1.5}

# formulas that are no function of tensors alone
NOT_ALONE = frozenset(
    "where clamp_min clamp_max clamp_between lerp_by add_scaled prelu gelu_tanh smooth_l1 huber "
    "bce_with_logits threshold".split()
)

@functools.cache
def operands(torch: Any, gradient: bool, n: int = N, kind: str = "float") -> dict[str, Any]:
    """The names that an expression may use, of about ``n`` elements each. Floats lie in (0.1, 0.9);
    only y needs no gradient.
    """
    source = np.random.default_rng(0)
    side, wide = math.isqrt(n), n // ROWS

    def numbers(*shape: int) -> Any:
        stored = {"gaps": (*shape[:-1], 2 * shape[-1]), "transposed": shape[::-1]}.get(kind, shape)
        drawn = (source.random(stored) * 0.8 + 0.1).astype(np.float32)
        x = torch.tensor(drawn + 1j * drawn[::-1] if "complex" in kind else drawn)
        if kind == "gaps":
            return x[..., ::2]
        if kind == "transposed":
            return x.permute(*reversed(range(len(shape))))
        if kind in WHOLE:
            return x > 0.5 if kind == "mask" else (x * 10).to(getattr(torch, WHOLE[kind]))
        return x.to(getattr(torch, FLOATS.get(kind, "float32")))

    def floats(*shape: int) -> Any:
        return numbers(*shape).requires_grad_() if gradient else numbers(*shape)

    def integers(limit: int, *shape: int) -> Any:
        return torch.tensor(source.integers(0, limit, shape))

    if kind in ("row", "column"):  # programs that have others of these names are not run
        y = numbers(*((1, wide) if kind == "row" else (ROWS, 1)))
        return {"t": torch, "F": torch.nn.functional, "x": floats(ROWS, wide), "y": y}
    y = numbers(n)
    ordered = y.real if y.is_complex() else y
    names = {
        "t": torch, "F": torch.nn.functional, "N": n, "SIDE": side, "x": floats(n), "y": y,
        "m": floats(ROWS, wide), "s": floats(side, side), "v": floats(side),
        "cube": floats(n // 10_000, 100, 100), "three": floats(n // 3, 3),
        "image": floats(n // 25_000, 16, 40, 40), "w1": floats(3, 1, 5),
        "w2": floats(16, 16, 3, 3), "many": floats(8000, 12).unbind(0),
        "i": integers(n, n), "r": integers(ROWS, ROWS), "c": integers(wide, 50),
        "k": integers(wide, ROWS, wide), "b": ordered > 0.5, "sorted_": ordered.sort()[0],
    }  # fmt: skip
    return names | more_operands(torch, names)


def programs() -> dict[str, str]:
    """All expressions by name: a row of the formulas is a call of its function, and of its twin."""
    rows = {}
    for name, (_, derivatives) in formulas.TABLE.items():
        if name in NOT_ALONE:
            continue
        first = f"(x + {SHIFTED[name]})" if name in SHIFTED else "x"
        rest = ["y", "y"][: len(derivatives) - 1]
        rows[name] = f"{name}({', '.join([first, *rest])})"
        if hasattr(Tensor, f"{name}_"):
            rows[f"{name}_"] = f"({first}).clone().{name}_({', '.join(rest)})"
    return {**rows, **PROGRAMS}


def expression(text: str, torch: Any) -> Any:
    """The compiled program; an elementwise function is looked for where PyTorch has it."""
    name = text.partition("(")[0]
    if name in formulas.TABLE:
        owners = {"t": torch, "F": torch.nn.functional, "t.special": torch.special}
        for place, owner in owners.items():
            if hasattr(owner, name):
                return compile(f"{place}.{text}", name, "eval")
        raise AttributeError(name)
    return compile(text, "program", "eval")


def step(
    text: str, torch: Any, gradient: bool, n: int = N, kind: str = "float"
) -> Callable[[], Any]:
    """The program as a function; with ``gradient``, its backward pass, too."""
    code, names = expression(text, torch), operands(torch, gradient, n, kind)
    if not gradient:
        return lambda: eval(code, names)
    results = [o for o in _tensors(eval(code, names)) if o.requires_grad]
    if not results:
        raise TypeError("no gradient")
    seeds = [torch.ones(tuple(o.shape), dtype=o.dtype) for o in results]
    leaves = [v for v in names.values() if getattr(v, "is_leaf", False) and v.requires_grad]

    def both_ways() -> None:
        for leaf in leaves:
            leaf.grad = None
        done = [o for o in _tensors(eval(code, names)) if o.requires_grad]
        torch.autograd.backward(done, seeds)

    return both_ways


def _tensors(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def fastest(
    steps: list[Callable[[], Any]], seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Seconds of the fastest turn of each; they alternate."""
    best = [float("inf")] * len(steps)
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 2 or time.perf_counter() < end:
        rounds += 1
        for i, run in enumerate(steps):
            start = clock()
            run()
            best[i] = min(best[i], clock() - start)
    return best


def measured(
    names: list[str], seconds: float, n: int = N, kind: str = "float",
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[tuple[str, str, list[float]]]:
    """(program, direction, seconds of microtorch and, where installed, of PyTorch)."""
    libraries = [importlib.import_module("microtorch")]
    try:
        libraries.append(importlib.import_module("torch"))
    except ImportError:
        print("PyTorch is not installed: the slowest programs are shown, without ratios.")
    for name, text in programs().items():
        if names and name.partition(" ")[0] not in names and name not in names:
            continue
        if n != N and name in LEFT_OUT:
            continue
        for direction in ("forward", "both ways")[: 1 if kind in WHOLE else 2]:
            try:
                gradient = direction != "forward"
                steps = [step(text, library, gradient, n, kind) for library in libraries]
                times = fastest(steps, seconds, clock)
            except Exception as error:  # a program that one of them cannot run stops no other
                if "no gradient" not in str(error) and kind == "float":
                    print(f"not run: {name}: {str(error).splitlines()[0]}", file=sys.stderr)
                continue
            yield name, direction, times


def main(arguments: list[str]) -> int:
    """Print the worst twenty, or all of the programs named, or all above a ratio."""
    from microtorch.backends import core

    parser = argparse.ArgumentParser(prog="python -m benchmarks registry")
    parser.add_argument("names", nargs="*", help="programs (default: all)")
    parser.add_argument("--size", type=int, default=N, help="elements of an operand")
    parser.add_argument("--kind", choices=KINDS, default="float", help="of the operands")
    parser.add_argument("--above", type=float, help="show all figures above this ratio")
    parser.add_argument("--cpu", action="store_true", help="time on the processor, if it is busy")
    options = parser.parse_args(arguments)
    names, limit = options.names, options.above or LIMIT
    clock = time.thread_time if options.cpu else time.perf_counter
    given = options.size, options.kind, clock
    core.set_num_threads(1)
    found = {(n, d): times for n, d, times in measured(names, 0.3 if names else 0.02, *given)}
    # a busy neighbour makes figures of a short measurement: what seems slow is measured longer
    slow = [n for (n, _), times in found.items() if len(times) > 1 and times[0] > limit * times[1]]
    if slow and not names:
        found |= {(n, d): times for n, d, times in measured(slow, 0.3, *given) if n in slow}
    rows = [
        (times[0] / times[-1] if len(times) > 1 else times[0], name, direction, times)
        for (name, direction), times in found.items()
    ]
    rows.sort(reverse=True)
    many = [row for row in rows if row[0] > limit] if len(rows[0][3]) > 1 else []
    shown = rows if names else many if options.above else rows[: max(20, len(many))]
    print(f"{'program':26} {'':10} {'microtorch':>11} {'PyTorch':>11} {'ratio':>7}")
    for ratio, name, direction, times in shown:
        figures = " ".join(f"{t * 1e6:8.1f} us" for t in times)
        print(f"{name:26} {direction:10} {figures} {f'{ratio:7.2f}' if len(times) > 1 else ''}")
    if len(rows[0][3]) > 1:
        print(f"{len(rows)} figures, {len(many)} of them above {limit:g} times PyTorch's time")
    return 0
