"""What new nodes are made under: is gradient recorded, and in which module call."""
from __future__ import annotations

from contextvars import ContextVar
from typing import Any


class Mode:
    """What new nodes are made under: is gradient recorded, and inside which module's ``forward``.

    Never changed.
    """

    __slots__ = ("grad", "inference", "scope")

    def __init__(self, grad: bool = True, scope: Scope | None = None, inference: bool = False):
        self.grad, self.scope, self.inference = grad, scope, inference


# a ContextVar: right in threads and in asyncio (B039 warns of a mutable default; a Mode is never
# changed). Who changes it for a while does so inside the try whose finally sets the old one again:
# Ctrl-C may come as soon as `set` has returned, and the rest of a session would run in that mode.
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
