"""Tiny tensors, 4x4 float32: all the time is overhead, of the operator, the graph and backward.

With gradient, ``add`` and ``mul`` record a node each, and in microtorch also the user's line. numpy
records nothing: it gives the lower limit.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Case, Step, in_torch_style, installed

LOOPS = 100
_random = np.random.default_rng(0)
A, B, C = (_random.uniform(0.5, 1.0, (4, 4)).astype(np.float32) for _ in range(3))


def repeated(operation: Callable[..., Any]) -> Callable[[Any], Step]:
    """LOOPS times the same operation, through a lambda that costs all contestants some 40 ns."""

    def build(torch: Any) -> Step:
        a, b = torch.tensor(A, requires_grad=True), torch.tensor(B, requires_grad=True)

        def step() -> Any:
            for _ in range(LOOPS):
                out = operation(torch, a, b)
            return out

        return step

    return build


def dropped(sign: str) -> Callable[[Any], Step]:
    """LOOPS times the statement ``a + b``, as in timeit: a result is freed before the next one."""
    return _loop(f"a {sign} b")


def kept(sign: str) -> Callable[[Any], Step]:
    """LOOPS times ``out = a + b``: a result lives until the next one is made.

    PyTorch takes a quarter less time for this than for the bare statement.
    """
    return _loop(f"out = a {sign} b")


def _loop(statement: str) -> Callable[[Any], Step]:
    def build(torch: Any) -> Step:
        a, b = torch.tensor(A, requires_grad=True), torch.tensor(B, requires_grad=True)
        names = {"a": a, "b": b, "LOOPS": LOOPS}
        lines = ["def step(a=a, b=b):",
                 "    for _ in range(LOOPS):",
                f"        {statement}",
                f"    return {statement.removeprefix('out = ')}"]  # fmt: skip
        exec(compile("\n".join(lines), "<benchmark>", "exec"), names)
        return names["step"]

    return build


def add_plain(torch: Any) -> Step:
    a, b = torch.tensor(A), torch.tensor(B)

    def step() -> Any:
        for _ in range(LOOPS):
            out = a + b
        return out

    return step


def numpy_add() -> Step:
    def step() -> Any:
        for _ in range(LOOPS):
            out = A + B
        return out

    return step


def numpy_mul() -> Step:
    def step() -> Any:
        for _ in range(LOOPS):
            out = A * B
        return out

    return step


def mul_sum_backward(torch: Any) -> Step:
    a, b = torch.tensor(A, requires_grad=True), torch.tensor(B, requires_grad=True)

    def step() -> Any:
        a.grad = b.grad = None
        (a * b).sum().backward()
        return a.grad, b.grad

    return step


def chain(torch: Any) -> Step:
    """50 times y * b + c: 100 operations forward, and backward."""
    a, b, c = torch.tensor(A, requires_grad=True), torch.tensor(B), torch.tensor(C)
    one = torch.ones(4, 4)

    def step() -> Any:
        a.grad = None
        y = a
        for _ in range(50):
            y = y * b
            y = y + c
        y.backward(one)
        return y, a.grad

    return step


def linear_with_bias(torch: Any) -> Step:
    a, b = torch.tensor(A), torch.tensor(B, requires_grad=True)
    bias, linear = torch.tensor(C[0], requires_grad=True), torch.nn.functional.linear

    def step() -> Any:
        for _ in range(LOOPS):
            out = linear(a, b, bias)
        return out

    return step


def weights(torch: Any) -> Step:
    """What every layer does in forward: ``self.weight``, and a step down, ``self.layer``."""
    layer = torch.nn.Linear(4, 4)
    net = torch.nn.Sequential()
    net.layer = layer

    def step() -> Any:
        for _ in range(LOOPS):
            found = layer.weight, net.layer
        return torch.zeros(len(found))

    return step


def sgd(torch: Any) -> Step:
    """optimizer.step() alone: ten parameters of four elements, with given gradients."""
    parameters = [torch.full((4,), float(i + 1), requires_grad=True) for i in range(10)]
    optimizer = torch.optim.SGD(parameters, lr=1e-6)
    for i, p in enumerate(parameters):
        p.grad = torch.full((4,), float(i + 1))

    def step() -> Any:
        optimizer.step()
        return parameters

    return step


def autograd_mul_sum() -> Step:
    import autograd.numpy as anp
    from autograd import grad

    derivatives = grad(lambda a, b: anp.sum(a * b), argnum=(0, 1))
    return lambda: derivatives(A, B)


def autograd_chain() -> Step:
    from autograd.core import make_vjp

    one = np.ones((4, 4), np.float32)

    def forward(a: Any) -> Any:
        y = a
        for _ in range(50):
            y = y * B
            y = y + C
        return y

    def step() -> Any:
        vjp, y = make_vjp(forward, A)
        return y, vjp(one)

    return step


def with_autograd(build: Callable[[], Step]) -> dict[str, Callable[[], Step]]:
    return {"autograd": build} if installed("autograd") else {}


CASES = [
    Case("add", "a + b, 4x4, gradient recorded",
         in_torch_style(dropped("+")) | {"numpy": numpy_add}, ("torch", 0.75), LOOPS),
    Case("mul", "a * b, 4x4, gradient recorded",
         in_torch_style(dropped("*")) | {"numpy": numpy_mul}, ("torch", 0.75), LOOPS),
    Case("add-kept", "out = a + b, 4x4, gradient recorded",
         in_torch_style(kept("+")), ("torch", 0.75), LOOPS),
    Case("mul-kept", "out = a * b, 4x4, gradient recorded",
         in_torch_style(kept("*")), ("torch", 0.75), LOOPS),
    Case("add-plain", "a + b, 4x4, no gradient",
         in_torch_style(add_plain) | {"numpy": numpy_add}, None, LOOPS),
    Case("matmul", "a @ b, 4x4, gradient recorded",
         in_torch_style(repeated(lambda t, a, b: a @ b)), ("torch", 0.8), LOOPS),
    Case("relu", "relu(a), 4x4, gradient recorded",
         in_torch_style(repeated(lambda t, a, b: t.relu(a))), None, LOOPS),
    Case("sum", "a.sum(), 4x4, gradient recorded",
         in_torch_style(repeated(lambda t, a, b: a.sum())), ("torch", 0.9), LOOPS),
    Case("linear", "linear(a, b), 4x4, gradient recorded",
         in_torch_style(repeated(lambda t, a, b: t.nn.functional.linear(a, b))),
         ("torch", 0.8), LOOPS),
    Case("linear-bias", "linear(a, b, a[0]), 4x4, gradient recorded",
         in_torch_style(linear_with_bias), ("torch", 0.8), LOOPS),
    Case("weights", "layer.weight and net.layer of modules",
         in_torch_style(weights), ("torch", 0.8), 2 * LOOPS),
    Case("mul-sum-backward", "(a * b).sum().backward(), 4x4",
         in_torch_style(mul_sum_backward) | with_autograd(autograd_mul_sum), ("torch", 0.35)),
    Case("chain", "100 operations forward and backward, 4x4",
         in_torch_style(chain) | with_autograd(autograd_chain), ("torch", 0.65)),
    Case("sgd", "SGD step, 10 parameters of 4",
         in_torch_style(sgd), ("torch", 0.6), steps_compared=3),
]  # fmt: skip
