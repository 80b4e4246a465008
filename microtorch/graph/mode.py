"""What new nodes are made under: is gradient recorded, and in which module call."""
from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any


class Mode:
    """What new nodes are made under: is gradient recorded, and inside which module's ``forward``.

    Never changed.
    """

    __slots__ = ("grad", "inference", "scope")

    def __init__(self, grad: bool = True, scope: Scope | None = None, inference: bool = False):
        self.grad, self.scope, self.inference = grad, scope, inference


# a ContextVar: right in threads and in asyncio (B039 warns of a mutable default; a Mode is never
# changed)
mode: ContextVar[Mode] = ContextVar("microtorch.mode", default=Mode())  # noqa: B039


class Scope:
    """One running ``Module.__call__``; ``parent`` leads outwards.

    It holds the module weakly, because modules may hold tensors.

    ``kind``, the module's class, is what a picture shows of it once the module is gone.
    """

    __slots__ = ("kind", "label", "module", "parent")

    def __init__(self, parent: Scope | None, module: Any, label: str, kind: type | None = None):
        self.parent, self.module, self.label, self.kind = parent, module, label, kind

    def path(self) -> tuple[Scope, ...]:
        """The scopes from the outermost module to this one."""
        chain: list[Scope] = []
        scope: Scope | None = self
        while scope is not None:
            chain.append(scope)
            scope = scope.parent
        return tuple(reversed(chain))


def enter_scope(module: Any, label: str, kind: type | None = None) -> Token[Mode]:
    """Nodes made from now on belong to ``module`` (a weak reference), shown as ``label``."""
    now = mode.get()
    return mode.set(Mode(now.grad, Scope(now.scope, module, label, kind), now.inference))


leave_scope = mode.reset
