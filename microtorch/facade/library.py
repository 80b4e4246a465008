"""``torch.library``: functions of the user's own as ops, found under ``torch.ops``.

    @torch.library.custom_op("mylib::sine", mutates_args=())
    def sine(x: Tensor) -> Tensor:
        return torch.from_numpy(np.sin(x.numpy()))

    sine.register_autograd(lambda ctx, g: g * ctx.x.cos(), setup_context=...)
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ..base.errors import message, missing
from .op_names import REGISTRY, find, split
from .opcheck import opcheck
from .operators import CustomOpDef
from .schemas import Schema, infer_schema

if TYPE_CHECKING:
    from ..base.types import Argument

    Types = str | Sequence[str] | None
    Op = str | CustomOpDef
    Fn = Callable[..., Argument]

__all__ = [
    "CustomOpDef", "Library", "custom_op", "define", "impl", "infer_schema", "opcheck",
    "register_autograd", "register_fake", "register_kernel", "register_vmap",
]  # fmt: skip

# which device a kernel of a dispatch key is for; None: all
KEYS = {
    "CPU": "cpu", "OpenCL": "opencl", "CUDA": "cuda", "MPS": "mps", "XPU": "xpu",
    "CompositeImplicitAutograd": None, "CompositeExplicitAutograd": None, "default": None, "": None,
}  # fmt: skip


def custom_op(
    name: str, fn: Fn | None = None, /, *, mutates_args: str | Iterable[str],
    device_types: Types = None, schema: str | None = None,
) -> Argument:  # fmt: skip
    """An op ``namespace::name`` whose kernel is ``fn``; without ``fn`` a decorator.

    The types come from the annotations, or from ``schema``. ``mutates_args``: the arguments that
    ``fn`` writes to, by name, or "unknown". ``device_types``: where this kernel works; None:
    everywhere. Its derivative is registered afterwards; until then backward through it raises.
    Raises ValueError for annotations that an op cannot have.
    """
    written = mutates_args if isinstance(mutates_args, str) else tuple(mutates_args)

    def register(fn: Fn) -> CustomOpDef:
        text = infer_schema(fn, mutates_args=written) if schema is None else schema
        read = Schema(name, text)
        marked = {p.name for p in read.parameters if p.written}
        if schema is not None and marked != set(written):
            raise ValueError(
                message(
                    f"Attempted to create a custom op with `mutates_args={mutates_args}` and "
                    f"`schema={schema}. The schema suggests that the op mutates {marked}"
                    "which is different from what was provided to us in `mutates_args`. Please "
                    "make these consistent."
                )
            )
        op = CustomOpDef(read)
        op.register_kernel(device_types, fn)
        return op

    return register if fn is None else register(fn)


def register_kernel(
    op: Op, device_types: Types, func: Fn | None = None, /, *, lib: Library | None = None
) -> Fn:
    """``CustomOpDef.register_kernel`` of an op, or of its name."""
    return find(op).register_kernel(device_types, func)


def register_fake(
    op: Op, func: Fn | None = None, /, *, lib: Library | None = None, _stacklevel: int = 1,
    allow_override: bool = False,
) -> Fn:  # fmt: skip
    """``CustomOpDef.register_fake`` of an op, or of its name."""
    found = find(op)
    return found.register_fake if func is None else found.register_fake(func)


def register_autograd(
    op: Op, backward: Fn, /, *, setup_context: Fn | None = None, lib: Library | None = None
) -> None:
    """``CustomOpDef.register_autograd`` of an op, or of its name."""
    find(op).register_autograd(backward, setup_context=setup_context)


def register_vmap(op: Op, func: Fn | None = None, /, *, lib: Library | None = None) -> Fn:
    """``CustomOpDef.register_vmap`` of an op, or of its name."""
    return find(op).register_vmap(func)


def define(
    qualname: str, schema: str, *, lib: Library | None = None, tags: Sequence[Argument] = ()
) -> None:
    """Declare an op, ``define("mylib::sine", "(Tensor x) -> Tensor")``; ``impl`` adds its kernels.

    What the kernel does with tensors is recorded, unless ``register_autograd`` gives a derivative.
    Raises RuntimeError for one that is declared already.
    """
    namespace, name = split(qualname)
    if name in REGISTRY.get(namespace, {}):
        raise RuntimeError(
            message(
                f"Tried to register an operator ({qualname}{schema}) with the same name and "
                "overload name multiple times."
            )
        )
    CustomOpDef(Schema(qualname, schema), direct=True)


def impl(
    qualname: str | Library, types: Types, func: Fn | str | None = None, *,
    lib: Library | None = None,
) -> Fn:  # fmt: skip
    """Add a kernel for types of devices ("cpu", "default"); without ``func`` a decorator.

    The older form is a decorator, too: ``impl(library, name, "CPU")``.
    """
    if isinstance(qualname, Library):
        op, keys = find(f"{qualname.ns}::{types}"), [str(func or qualname.dispatch_key)]
        func = None
    else:
        op, keys = find(qualname), [types or ""] if isinstance(types, str | None) else list(types)

    def register(fn: Argument) -> Argument:
        for key in keys:
            _register(op, key, fn)
        return fn

    return register if func is None else register(func)


def _register(op: CustomOpDef, key: str, fn: Argument) -> None:
    """Add a kernel under a dispatch key, or a type of device."""
    if not callable(fn):
        what = f"Input function is required to be a callable but found type {type(fn)}"
        raise TypeError(message(what))
    if key == "Meta":
        op.register_fake(fn)
    elif key in KEYS or key.islower():
        op.composite = op.composite or key == "CompositeImplicitAutograd"
        op.register_kernel(KEYS.get(key, key), fn)
    else:
        raise NotImplementedError(
            message(
                f"Library.impl: no kernels for the dispatch key {key!r}",
                fix=f"the keys are {', '.join(filter(None, KEYS))} and Meta; a derivative is given "
                "to torch.library.register_autograd",
            )
        )


class Library:
    """A namespace to declare ops in (``kind`` "DEF" or "FRAGMENT"), or to add kernels to ("IMPL").

    ``dispatch_key``: that of kernels that name none.
    """

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        if kind not in ("IMPL", "DEF", "FRAGMENT"):
            raise ValueError(f"Unsupported kind: {kind}")
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def __repr__(self) -> str:
        return f"Library(kind={self.kind}, ns={self.ns}, dispatch_key={self.dispatch_key})>"

    def define(
        self, schema: str, alias_analysis: str = "", *, tags: Sequence[Argument] = ()
    ) -> str:
        """Declare an op, ``"sine(Tensor x) -> Tensor"``; returns its name."""
        name, parenthesis, rest = schema.partition("(")
        if self.kind == "IMPL":
            raise RuntimeError(
                message(
                    f'def("{name.strip()}"): Cannot define an operator inside of a '
                    "TORCH_LIBRARY_IMPL block.",
                    fix=f'Library("{self.ns}", "FRAGMENT")',
                )
            )
        define(f"{self.ns}::{name.strip()}", parenthesis + rest)
        return name.strip()

    def impl(
        self, op_name: Op, fn: Fn, dispatch_key: str = "", *, with_keyset: bool = False,
        allow_override: bool = False,
    ) -> None:  # fmt: skip
        """Add a kernel: for "CPU", "OpenCL" or "CompositeImplicitAutograd" (all); "Meta" is the
        fake. NotImplementedError for other keys.
        """
        if with_keyset:
            raise NotImplementedError(message("Library.impl: there are no sets of dispatch keys"))
        short = isinstance(op_name, str) and "::" not in op_name
        op = find(f"{self.ns}::{op_name}" if short else op_name)
        _register(op, dispatch_key or self.dispatch_key, fn)


__getattr__ = missing("microtorch.library", __all__)
