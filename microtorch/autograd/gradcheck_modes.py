"""gradcheck of forward mode, and of gradients computed at once (vmap) for several vectors."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import real_parts
from ..backends import host
from ..engine.record import constant
from ..handles.tensor import Tensor
from ..kinds.dual import Dual
from ..kinds.level import entered
from .forward_ad import paired, unpacked
from .grad_mode import enable_grad
from .gradients import grad

if TYPE_CHECKING:
    from ..base.types import Array


def forward_jacobian(
    func: Callable[..., Any], inputs: tuple[Any, ...], i: int,
    outputs: Callable[[Any], list[Tensor]],
) -> list[Array]:  # fmt: skip
    """d func / d input ``i`` by forward mode, a column for each part of it: one array per output.

    ``outputs``: those of the results of ``func`` that count.
    """
    x: Tensor = inputs[i]
    columns: list[list[Array]] = []
    for j in range(len(real_parts(host(x.array)))):
        direction = np.zeros(x.array.shape, x.array.dtype)
        real_parts(direction)[j] = 1
        with entered(Dual) as level:
            given = list(inputs)
            given[i] = paired(x, constant(direction, x.node.dev), level)
            with enable_grad():
                ys = outputs(func(*given))
            pairs = [unpacked(y, level) for y in ys]
        columns.append(
            [
                real_parts(np.zeros_like(host(p.array)) if t is None else host(t.array)).copy()
                for p, t in pairs
            ]
        )
    return [np.stack(column, 1) for column in zip(*columns, strict=True)]


def batched_as_single(y: Tensor, xs: Sequence[Tensor]) -> str:
    """How the gradients for two vectors at once differ from those one by one; "" if they do not."""
    rng = np.random.default_rng(0)
    rows = constant(rng.standard_normal((2, *y.array.shape)).astype(y.array.dtype), y.node.dev)
    options: dict[str, Any] = {"retain_graph": True, "allow_unused": True}
    at_once = grad(y, xs, rows, is_grads_batched=True, **options)
    for i in (0, 1):
        for k, (a, b) in enumerate(zip(at_once, grad(y, xs, rows[i], **options), strict=True)):
            if a is None or b is None:
                if a is not b:
                    return f"input {k}: one of the gradients is None"
            elif not np.allclose(host(a.array)[i], host(b.array), rtol=1e-3, atol=1e-5):
                return f"input {k}, vector {i}"
    return ""
