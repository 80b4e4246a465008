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

from microtorch.notation import formulas

N, ROWS = 100_000, 100
LIMIT = 3.0
FLOATS = {
    "float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16",
    "complex": "complex64", "complex128": "complex128",
}  # fmt: skip
WHOLE = {"int": "int64", "int32": "int32", "int16": "int16", "uint8": "uint8", "mask": "bool"}
KINDS = (*FLOATS, "gaps", "transposed", "row", "column", *WHOLE)
# quadratic in their operands, or of a list of tiny tensors: not at other sizes
LEFT_OUT = frozenset({"cdist 1", "pdist", "combinations", "cat of 8,000", "stack of 1,000", "kron"})
# where an elementwise function is not defined on (0.1, 0.9)
SHIFTED = {"acosh": 1.5}

# formulas that are no function of tensors alone
NOT_ALONE = frozenset(
    "where clamp_min clamp_max clamp_between lerp_by add_scaled prelu gelu_tanh smooth_l1 huber "
    "bce_with_logits threshold".split()
)

# name: an expression of the library t, of t.nn.functional F, and of the operands (see `operands`)
PROGRAMS = {
    # shapes and joins
    "reshape": "m.t().reshape(-1)", "flip": "m.flip(0, 1)", "roll": "x.roll(1234)",
    "roll 2-d": "m.roll((3, 4), (0, 1))", "rot90": "m.rot90(1, (0, 1))", "tile": "x.tile(3)",
    "repeat": "m.repeat(2, 3)", "repeat_interleave": "x.repeat_interleave(3)",
    "repeat_interleave rows": "m.repeat_interleave(3, 0)",
    "repeat_interleave counts": "x.repeat_interleave(i % 3)",
    "cat": "t.cat([x, y, x])", "cat columns": "t.cat([m, m], 1)", "cat of 8,000": "t.cat(many)",
    "stack": "t.stack([x, y, x])", "stack last": "t.stack([x, y], -1)",
    "stack of 1,000": "t.stack(many[:1000])", "split of 1,000": "t.cat(x.split(100))",
    "unbind of 1,000": "t.stack(m.unbind(1))", "chunk": "t.cat(x.chunk(10))",
    "hstack": "t.hstack([m, m])", "block_diag": "t.block_diag(m, m)", "kron": "t.kron(v, v[:100])",
    "meshgrid": "t.meshgrid(v, v, indexing='ij')[0] + 0",
    "cartesian_prod": "t.cartesian_prod(v, v)",
    "combinations": "t.combinations(v)", "tril": "s.tril()", "triu": "s.triu(1)",
    "diag": "s.diag()", "diag_embed": "v.diag_embed()", "trace": "s.trace()",
    "vander": "t.vander(v)",
    "pad": "F.pad(m, (2, 3))", "pad reflect": "F.pad(m[None], (2, 3), 'reflect')",
    "unfold": "x.unfold(0, 5, 2) + 0", "F.unfold": "F.unfold(image, 3)",
    "F.fold": "F.fold(F.unfold(image, 3), image.shape[2:], 3)",
    "as_strided": "x.as_strided((300, 300), (3, 1)) + 0",
    "one_hot": "t.nn.functional.one_hot(i % 10)",
    # indexing and writing
    "select": "m[:, 3] + 0", "slice": "x[::2] + 0", "index": "x[i]", "index rows": "m[r]",
    "index both": "m[r[:, None], c]", "index by mask": "x[b]",
    "index_select": "m.index_select(0, r)",
    "index_select columns": "m.index_select(1, c)", "gather": "m.gather(1, k)",
    "gather rows": "m.gather(0, k % 100)", "take": "x.take(i)",
    "take_along_dim": "m.take_along_dim(k, 1)", "embedding": "F.embedding(i % 1000, m.t())",
    "scatter": "m.scatter(1, k, m)", "scatter_add": "m.scatter_add(1, k, m)",
    "scatter_add rows": "m.scatter_add(0, k % 100, m)",
    "scatter_reduce": "m.scatter_reduce(1, k, m, 'amax')",
    "scatter_reduce mean": "m.scatter_reduce(1, k, m, 'mean')",
    "scatter_reduce prod": "m.scatter_reduce(1, k, m, 'prod')",
    "index_add": "x.index_add(0, i, y)", "index_add rows": "m.index_add(0, r, m)",
    "index_copy": "m.index_copy(0, r, m)", "index_fill": "m.index_fill(0, r, 2.0)",
    "index_reduce": "m.index_reduce(0, r, m, 'amax')", "index_put": "x.index_put((i,), y)",
    "index_put sum": "x.index_put((i,), y, accumulate=True)", "put": "x.put(i, y)",
    "put sum": "x.put(i, y, accumulate=True)", "masked_select": "x.masked_select(b)",
    "masked_fill": "x.masked_fill(b, 0.0)", "masked_scatter": "x.masked_scatter(b, y)",
    "where": "t.where(b, x, y)", "nonzero": "b.nonzero()",
    "nonzero 2-d": "b.view(100, -1).nonzero()",
    "argwhere": "b.argwhere()", "slice_scatter": "m.slice_scatter(m[:50], 0, 0, 50)",
    "select_scatter": "m.select_scatter(m[0], 0, 3)", "diagonal_scatter": "s.diagonal_scatter(v)",
    "isin": "t.isin(i, i[:100])", "bincount": "t.bincount(i)",
    "bincount weights": "t.bincount(i, y.detach())", "histc": "t.histc(x.detach(), 50)",
    "histogram": "t.histogram(x.detach(), 50)[0]", "searchsorted": "t.searchsorted(sorted_, x)",
    "bucketize": "t.bucketize(x, sorted_[:100])", "unique": "i.unique()",
    "unique inverse": "i.unique(return_inverse=True, return_counts=True)[1]",
    "unique floats": "x.detach().unique()", "unique rows": "(m.detach() > 0.5).unique(dim=0)",
    "unique_consecutive": "(i // 100).unique_consecutive()",
    # order
    "sort": "x.sort()", "sort rows": "m.sort(1)", "sort columns": "m.sort(0)",
    "sort down": "x.sort(descending=True)", "sort integers": "i.sort()", "argsort": "x.argsort()",
    "topk": "x.topk(10)", "topk half": "x.topk(50_000)", "topk rows": "m.topk(5)",
    "topk columns": "m.topk(5, 0)", "kthvalue": "x.kthvalue(50_000)",
    "kthvalue rows": "m.kthvalue(7)",
    "median": "x.median()", "median rows": "m.median(1)", "median columns": "m.median(0)",
    "nanmedian": "x.nanmedian()", "mode": "(m * 10).round().mode(1)", "mode integers": "i.mode()",
    "quantile": "x.quantile(0.3)", "quantile rows": "m.quantile(v[:5], 1)",
    "nanquantile": "x.nanquantile(0.3)", "max": "x.max()", "max rows": "m.max(1)",
    "max columns": "m.max(0)", "argmax": "x.argmax()", "argmax rows": "m.argmax(1)",
    "argmin columns": "m.argmin(0)", "amax": "m.amax(1)", "amax columns": "m.amax(0)",
    "aminmax": "m.aminmax(dim=1)", "cummax": "m.cummax(1)", "cummax columns": "m.cummax(0)",
    "cummax long": "x.cummax(0)",
    # reductions and scans
    "sum": "x.sum()", "sum rows": "m.sum(1)", "sum columns": "m.sum(0)", "sum integers": "i.sum()",
    "mean": "x.mean()", "mean columns": "m.mean(0)", "prod": "(x + 0.5).prod()",
    "prod rows": "m.prod(1)",
    "var": "x.var()", "var rows": "m.var(1)", "var columns": "m.var(0)", "std": "x.std()",
    "std rows": "m.std(1)", "var_mean": "t.var_mean(m, 1)", "norm": "x.norm()",
    "norm 1": "x.norm(1)",
    "norm 3 rows": "m.norm(3, 1)", "norm inf": "x.norm(float('inf'))",
    "logsumexp": "m.logsumexp(1)",
    "logsumexp columns": "m.logsumexp(0)", "nansum": "x.nansum()", "nanmean": "x.nanmean()",
    "all": "b.all()", "any rows": "b.view(100, -1).any(1)", "count_nonzero": "b.count_nonzero()",
    "cumsum": "x.cumsum(0)", "cumsum rows": "m.cumsum(1)", "cumsum columns": "m.cumsum(0)",
    "cumsum integers": "i.cumsum(0)", "cumprod": "(x + 0.5).cumprod(0)",
    "cumprod rows": "m.cumprod(1)",
    "logcumsumexp": "x.logcumsumexp(0)", "logcumsumexp rows": "m.logcumsumexp(1)",
    "diff": "x.diff()", "gradient": "t.gradient(x)[0]", "trapezoid": "t.trapezoid(x)",
    "cumulative_trapezoid": "t.cumulative_trapezoid(x)", "cov": "m.cov()",
    "corrcoef": "m.corrcoef()",
    "dist": "t.dist(x, y)", "renorm": "m.renorm(2, 0, 1.0)",
    # products
    "matmul": "s @ s", "mv": "m @ m[0]", "dot": "x @ y", "bmm": "cube @ cube.transpose(1, 2)",
    "outer": "t.outer(v, v)", "einsum": "t.einsum('ij,kj->ik', m, m)", "addmm": "t.addmm(s, s, s)",
    "tensordot": "t.tensordot(m, m, 2)", "cross": "t.cross(three, three, dim=1)",
    "cdist": "t.cdist(m.t()[:300], m.t()[300:600])",
    "cdist 1": "t.cdist(v[:, None], v[:, None], p=1.0)",
    "pdist": "F.pdist(s[:, :8])", "inner": "t.inner(m, m)",
    # comparison and casts
    "lt": "x < y", "eq": "i == 3", "isnan": "x.isnan()", "isfinite": "x.isfinite()",
    "isclose": "t.isclose(x, y)", "allclose": "t.allclose(x, x)", "logical_and": "b & ~b",
    "bitwise_and": "i & 7", "shift": "i << 2", "floor_divide": "i // 7",
    "remainder integers": "i % 7",
    "to double": "x.double()", "to int": "x.long()", "to float": "i.float()", "to bool": "x.bool()",
    "clone": "m.t().clone()", "contiguous": "m.t().contiguous()", "nan_to_num": "x.nan_to_num()",
    "copysign": "x.copysign(y)", "heaviside": "t.heaviside(x, y)",
    "nextafter": "x.detach().nextafter(y)",
    "gcd": "t.gcd(i, i.flip(0))", "lcm": "t.lcm(i % 100, i.flip(0) % 100 + 1)",
    "frexp": "x.detach().frexp()[0]", "ldexp": "x.ldexp(i % 5)", "addcmul": "t.addcmul(x, x, y)",
    "addcdiv": "t.addcdiv(x, x, y)", "float_power": "x.float_power(2)", "pow number": "x ** 3",
    "clamp": "x.clamp(0.3, 0.6)", "clamp tensors": "x.clamp(y, y + 0.1)",
    "broadcast": "m + m[:1] * m[:, :1]", "add integers": "i + i",
    # layers and losses
    "softmax": "m.softmax(1)", "softmax columns": "m.softmax(0)", "log_softmax": "m.log_softmax(1)",
    "layer_norm": "F.layer_norm(m, (1000,))", "group_norm": "F.group_norm(image, 4)",
    "batch_norm": "F.batch_norm(image, None, None, training=True)",
    "rms_norm": "F.rms_norm(m, (1000,))", "normalize": "F.normalize(m)",
    "cosine_similarity": "F.cosine_similarity(m, m.flip(0))", "linear": "F.linear(m, m)",
    "cross_entropy": "F.cross_entropy(m, r)", "nll_loss": "F.nll_loss(m, r)",
    "mse_loss": "F.mse_loss(x, y)", "l1_loss": "F.l1_loss(x, y)",
    "smooth_l1_loss": "F.smooth_l1_loss(x, y)", "huber_loss": "F.huber_loss(x, y)",
    "kl_div": "F.kl_div(x.log(), y)", "binary_cross_entropy": "F.binary_cross_entropy(x, y)",
    "bce with logits": "F.binary_cross_entropy_with_logits(x, y)", "glu": "F.glu(m)",
    "prelu": "F.prelu(x, y[:1])", "threshold": "F.threshold(x, 0.5, 0.0)",
    "conv1d": "F.conv1d(m[:, None], w1)", "conv2d": "F.conv2d(image, w2, padding=1)",
    "conv_transpose2d": "F.conv_transpose2d(image, w2, padding=1)",
    "max_pool1d": "F.max_pool1d(m, 2)", "max_pool2d": "F.max_pool2d(image, 2)",
    "avg_pool1d": "F.avg_pool1d(m, 2)", "avg_pool2d": "F.avg_pool2d(image, 2)",
    "adaptive_avg_pool2d": "F.adaptive_avg_pool2d(image, 5)",
    "max_pool2d overlapping": "F.max_pool2d(image, 3, 2)",
    "interpolate": "F.interpolate(image, scale_factor=2)",
    "interpolate bilinear": "F.interpolate(image, scale_factor=2, mode='bilinear')",
    "dropout": "F.dropout(x)", "pixel_shuffle": "F.pixel_shuffle(image, 2)",
    # making and filling
    "zeros": "t.zeros(N)", "ones": "t.ones(N)", "full": "t.full((N,), 3.0)", "eye": "t.eye(SIDE)",
    "arange": "t.arange(N)", "arange floats": "t.arange(0.0, 1.0, 1e-5)",
    "linspace": "t.linspace(0, 1, N)",
    "logspace": "t.logspace(0, 1, N)", "rand": "t.rand(N)", "randn": "t.randn(N)",
    "randint": "t.randint(10, (N,))", "randperm": "t.randperm(N)",
    "normal_": "t.empty(N).normal_(0, 2)",
    "uniform_": "t.empty(N).uniform_(-1, 1)", "exponential_": "t.empty(N).exponential_()",
    "log_normal_": "t.empty(N).log_normal_()", "geometric_": "t.empty(N).geometric_(0.3)",
    "bernoulli": "t.bernoulli(x.detach())", "multinomial": "t.multinomial(x.detach(), 1000)",
    "multinomial again": "t.multinomial(x.detach(), N, replacement=True)",
    "poisson": "t.poisson(x.detach() * 5)", "poisson of large": "t.poisson(x.detach() * 50 + 10)",
    "gamma": "t._standard_gamma(x.detach() + 0.5)",
    "binomial": "t.binomial(x.detach() * 0 + 40, x.detach().clamp(0, 1))",
    "tril_indices": "t.tril_indices(SIDE, SIDE)",
    # special functions
    **{f"special {name}": f"t.special.{name}(x)" for name in (
        "gammaln", "digamma", "erfinv", "erfcx", "log_ndtr", "ndtri", "i0", "i0e", "i1", "i1e",
    )},
    "polygamma": "t.polygamma(1, x)", "igamma": "t.special.gammainc(x.detach(), y)",
    "zeta": "t.special.zeta(x.detach() + 1.5, y)", "mvlgamma": "t.mvlgamma(x + 2, 2)",
}  # fmt: skip


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
    return {
        "t": torch, "F": torch.nn.functional, "N": n, "SIDE": side, "x": floats(n), "y": y,
        "m": floats(ROWS, wide), "s": floats(side, side), "v": floats(side),
        "cube": floats(n // 10_000, 100, 100), "three": floats(n // 3, 3),
        "image": floats(n // 25_000, 16, 40, 40), "w1": floats(3, 1, 5),
        "w2": floats(16, 16, 3, 3), "many": floats(8000, 12).unbind(0),
        "i": integers(n, n), "r": integers(ROWS, ROWS), "c": integers(wide, 50),
        "k": integers(wide, ROWS, wide), "b": ordered > 0.5, "sorted_": ordered.sort()[0],
    }  # fmt: skip


def programs() -> dict[str, str]:
    """All expressions by name: a row of the formulas is a call of its function."""
    rows = {}
    for name, (_, derivatives) in formulas.TABLE.items():
        if name in NOT_ALONE:
            continue
        first = f"(x + {SHIFTED[name]})" if name in SHIFTED else "x"
        rest = ["y", "y"][: len(derivatives) - 1]
        rows[name] = f"{name}({', '.join([first, *rest])})"
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


def fastest(steps: list[Callable[[], Any]], seconds: float) -> list[float]:
    """Seconds of the fastest turn of each; they alternate."""
    best = [float("inf")] * len(steps)
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 2 or time.perf_counter() < end:
        rounds += 1
        for i, run in enumerate(steps):
            start = time.perf_counter()
            run()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def measured(
    names: list[str], seconds: float, n: int = N, kind: str = "float"
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
                times = fastest(steps, seconds)
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
    options = parser.parse_args(arguments)
    names, limit = options.names, options.above or LIMIT
    given = options.size, options.kind
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
