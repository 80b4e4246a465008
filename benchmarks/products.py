"""Products of matrices beside numpy's BLAS and PyTorch's, forward; a perceptron also backward.

Targets are ratios of times to numpy's, whose OpenBLAS runs near the processor's peak on one thread:
1.0 for large matrices, 1 / 0.95 where the cost of the call shows. At 64 x 64 the cost of the graph
shows too (about 1 us of 6), so the kernels are timed alone as well.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from microtorch.backends.core.library import Kernels, required

from .cases import Case, Step, in_torch_style


def operands(dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.standard_normal(s).astype(dtype) for s in shapes]


def product(
    name: str, a: tuple[int, ...], b: tuple[int, ...], dtype: str, target: float,
    transposed: bool = False, rival: str = "numpy",
) -> Case:  # fmt: skip
    """a @ b. ``transposed``: memory holds the transpose of b, as with the weight of a layer."""

    def build(torch: Any) -> Step:
        x, y = (torch.tensor(array) for array in operands(dtype, a, b))
        y = y.mT.contiguous().mT if transposed else y
        return lambda: x @ y

    def with_numpy() -> Step:
        x, y = operands(dtype, a, b)
        y = np.ascontiguousarray(y.swapaxes(-1, -2)).swapaxes(-1, -2) if transposed else y
        multiply = np.dot if x.ndim == 2 else np.matmul
        return lambda: multiply(x, y)

    shapes = " @ ".join("x".join(map(str, shape)) for shape in (a, b))
    what = f"{shapes}{', transposed' if transposed else ''}, {dtype}"
    builders = in_torch_style(build) | {"numpy": with_numpy}
    return Case(
        f"product-{name}", what, builders, (rival, target), tolerance=1e-3, group="products"
    )


def of_halves(n: int, dtype: str) -> Case:
    """a @ b in 16 bits, as float32: the conversion, so that results can be compared, is timed."""

    def build(torch: Any) -> Step:
        x, y = (torch.tensor(a) for a in operands("float32", (n, n), (n, n)))
        x, y = x.to(getattr(torch, dtype)), y.to(getattr(torch, dtype))
        return lambda: (x @ y).float()

    return Case(
        f"product-{n}-{dtype}", f"{n}x{n} @ {n}x{n}, {dtype}", in_torch_style(build),
        ("torch", 1.1), tolerance=0.3, group="products",
    )  # fmt: skip


def kernel_alone(n: int, dtype: str) -> Case:
    """The C function behind ``a @ b`` beside numpy's: (n, n) @ (n, n) into an existing array."""

    def build() -> Step:
        (x, y), out = operands(dtype, (n, n), (n, n)), np.empty((n, n), dtype)
        multiply = required_kernels(dtype).matmul

        def step() -> np.ndarray:
            multiply(1, 1, n, n, n, id(x), id(y), 0, id(out))
            return out

        return step

    def with_numpy() -> Step:
        (x, y), out = operands(dtype, (n, n), (n, n)), np.empty((n, n), dtype)
        return lambda: np.dot(x, y, out)

    name, what = f"kernel-{n}-f{dtype[-2:]}", f"{n}x{n} @ {n}x{n}, {dtype}, the kernels alone"
    builders = {"microtorch": build, "numpy": with_numpy}
    return Case(name, what, builders, ("numpy", 1 / 0.95), tolerance=1e-3, group="products")


def required_kernels(dtype: str) -> Kernels:
    required()
    return Kernels(np.dtype(dtype))


def perceptron(torch: Any) -> Step:
    """The two layers of 784-500-10 on 64 examples, without activation, from a gradient of ones."""
    x, w1, w2 = (torch.tensor(a) for a in operands("float32", (64, 784), (500, 784), (10, 500)))
    b1, b2 = (torch.tensor(a, requires_grad=True) for a in operands("float32", (500,), (10,)))
    w1.requires_grad_(True)
    w2.requires_grad_(True)
    ones = torch.ones(64, 10)
    linear = torch.nn.functional.linear

    def step() -> Any:
        for p in (w1, b1, w2, b2):
            p.grad = None
        out = linear(linear(x, w1, b1), w2, b2)
        out.backward(ones)
        return out, w1.grad, b1.grad, w2.grad, b2.grad

    return step


SINGLE = [
    product(f"{n}-{short}", (n, n), (n, n), dtype, 1.0 if n > 128 else 1 / 0.95)
    for short, dtype in (("f32", "float32"), ("f64", "float64"))
    for n in (128, 256, 512, 1024, 2048)
]
CASES = [
    product("64-f32", (64, 64), (64, 64), "float32", 1.0, rival="torch"),
    product("64-f64", (64, 64), (64, 64), "float64", 1.0, rival="torch"),
    kernel_alone(64, "float32"),
    kernel_alone(64, "float64"),
    *SINGLE,
    *(of_halves(n, "bfloat16") for n in (64, 128, 512, 1024)),
    of_halves(128, "float16"),
    product("tall-f32", (64, 784), (784, 500), "float32", 1 / 0.95),
    product("tall-f64", (64, 784), (784, 500), "float64", 1 / 0.95),
    product("layer-f32", (64, 784), (784, 500), "float32", 1 / 0.95, transposed=True),
    product("batch-f32", (32, 128, 128), (32, 128, 128), "float32", 1 / 1.2),
    product("heads-f32", (8, 12, 64, 64), (8, 12, 64, 64), "float32", 1.0, transposed=True),
    Case("product-perceptron", "linear 784-500-10, batch 64, forward and backward",
         in_torch_style(perceptron), ("torch", 1.0), tolerance=1e-2, group="products"),
]  # fmt: skip
