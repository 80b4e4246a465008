"""``torch.func``: functions of functions. Each takes a function and returns another.

- ``grad``, ``grad_and_value``, ``vjp``, ``jacrev``: derivatives backward through the graph
- ``jvp``, ``linearize``, ``jacfwd``: derivatives forward, on dual numbers
- ``hessian``: one after the other
- ``vmap``: all samples at once
- ``functional_call``, ``stack_module_state``: a module as a function of its parameters

All of them may be nested in one another.
"""
from __future__ import annotations

from ..base.errors import missing
from ..kinds.vmap import vmap
from ..kinds.vmap import vmap as _vmap  # noqa: F401  of torch._vmap_internals
from .forward import hessian, jacfwd, jvp, linearize
from .modules import (
    functional_call,
    functionalize,
    replace_all_batch_norm_modules_,
    stack_module_state,
)
from .reverse import grad, grad_and_value, jacrev, vjp

__all__ = [
    "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev",
    "jvp", "linearize", "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

__getattr__ = missing(__name__, __all__)
