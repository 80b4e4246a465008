"""The derivatives of an op on a backend's arrays: the backend's kernels, or the declared vjps."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..backends.half import Half
from ..backends.table import BackendTable

if TYPE_CHECKING:
    from ..base.types import Backend, Contribution, Kernel, Namespace, Operand, Vjp
    from .op import Op


class VjpTable(BackendTable[Sequence["Vjp"]]):
    """Backend -> the op's vjps on its arrays.

    A backend's class may have a kernel for one vjp, ``<op>_vjp<i>``, or for all of them,
    ``<op>_vjps``, which returns as many contributions; else it is the declared vjp. Kernels take
    what a vjp takes, without F, and must agree with it (the registry test compares them). They
    answer None where they decline: a layout, a dtype, a shape that they are not made for.
    """

    def __init__(self, op: Op):
        super().__init__(op.name)
        self.op = op

    def __missing__(self, backend: Backend) -> Sequence[Vjp]:
        op = self.op
        if hasattr(backend, "passing"):
            return op.derivatives_on(backend)
        written = getattr(type(backend), "derivatives", None)
        if written is not None:  # while a function is recorded (static/recorder.py)
            self[backend] = written(backend, self)
            return self[backend]
        if backend.conjugates:
            self[backend] = op.derivatives_on(backend)
            return self[backend]
        if isinstance(backend, Half):
            self[backend] = backend.vjps(op.name, self[backend.wide])
            return self[backend]
        fused = getattr(type(backend), f"{op.name}_vjps", None)
        if fused is not None:
            self[backend] = FusedVjps(fused, op.derivatives)
            return self[backend]
        kernels: list[Any] = [
            v and not getattr(v, "flat", False) and getattr(backend, f"{op.name}_vjp{i}", None)
            for i, v in enumerate(op.vjps)
        ]
        self[backend] = tuple(
            [_first(k, f) if k else f for k, f in zip(kernels, op.derivatives, strict=True)]
        )
        return self[backend]


def conjugated(vjp: Vjp) -> Vjp:
    """The vjp of a holomorphic function of complex numbers, given that of real ones.

    It multiplies ``g`` by the conjugates of what ``vjp`` multiplies it by (backends/complex.py).
    """

    def on_complex(
        F: Namespace, g: Operand, *arguments: Operand, **attrs: object
    ) -> Contribution:
        return F.conj(vjp(F, F.conj(g), *arguments, **attrs))

    return on_complex


class FusedVjps(Sequence["Vjp"]):
    """The vjps of an op that one kernel computes together.

    Each iteration is one step of backward. It runs the kernel at most once, for the first vjp that
    is called; the others hand out what it returned.
    """

    def __init__(self, kernel: Kernel, declared: Sequence[Vjp]):
        self.kernel, self.declared = kernel, declared

    def __len__(self) -> int:
        return len(self.declared)

    def __getitem__(self, i: Any) -> Any:
        return [*self][i]

    def __iter__(self) -> Iterator[Vjp]:
        found: list[Any] = []  # empty until the kernel has run

        def part(i: int) -> Vjp:
            def vjp(F: Namespace, *arguments: Operand, **attrs: Any) -> Contribution:
                if not found:
                    found.append(self.kernel(F, *arguments, **attrs))
                return self.declared[i](F, *arguments, **attrs) if found[0] is None else found[0][i]

            return vjp

        return map(part, range(len(self)))


def _first(kernel: Kernel, declared: Vjp) -> Vjp:
    if hasattr(kernel, "with_F"):  # it never declines, and saves the call between
        return kernel.with_F

    def vjp(F: Namespace, *arguments: Operand, **attrs: Any) -> Contribution:
        d = kernel(*arguments, **attrs)
        return declared(F, *arguments, **attrs) if d is None else d

    return vjp
