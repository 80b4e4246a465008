"""What a module does by walking over the tree below it: list, find, convert, freeze."""
from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..arrays.device import device as named_device
from ..autograd import no_grad
from ..base.errors import message, warn
from ..create.filled import empty_like
from ..handles.tensor import Tensor
from .common_types import DeviceLike
from .parameter import Parameter

if TYPE_CHECKING:
    from ..base.types import Argument
    from .module import Module

T = TypeVar("T", bound="Tree")


class Tree:
    """The part of ``Module`` that walks over its three dicts and those of all modules below."""

    training: bool
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]

    def named_modules(
        self, memo: set[Tree] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(path, module) of this module and all below it, depth first; a shared one comes once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, cast("Module", self)
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(
                    memo, f"{prefix}.{name}" if prefix else name, remove_duplicate
                )

    def _named_members(
        self, store: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        memo = set()
        owners = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, owner in owners:
            for name, value in owner.__dict__[store].items():
                if value is None or id(value) in memo:
                    continue
                if remove_duplicate:
                    memo.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter), in the order of registration; a shared parameter comes once."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """(path, buffer), in the order of registration."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters: what an optimizer is given."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        seen: set[Tree] = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        for _, child in self.named_children():
            yield child

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path (`"seq.0"`; `""` is this module).

        AttributeError if there is none.
        """
        module: Tree = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Tree):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return cast("Module", module)

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at a dotted path, of which all but the last name must be there.

        With `strict`, the last one, too. ValueError for an empty path or what is no Module.
        """
        if target == "":
            raise ValueError(message("Cannot set the submodule without a target name!"))
        if not isinstance(module, Tree):
            raise ValueError(message(f"`module` is not an nn.Module, found {module.__class__}"))
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Tree):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path; AttributeError if there is none."""
        return self._get_member(target, Parameter, "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path; AttributeError if there is none."""
        path, _, name = target.rpartition(".")
        found = self._get_member(target, Tensor, "a buffer")
        if name not in self.get_submodule(path)._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return found

    def _get_member(self, target: str, kind: type, what: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        found = getattr(owner, name)
        if not isinstance(found, kind):
            raise AttributeError(f"`{name}` is not {what}")
        return found

    # ---------------------------------------------------------------- changing everything below

    def apply(self: T, fn: Callable[[Any], object]) -> T:
        """Call fn(module) on every module below and then on this one (initialisation, mostly)."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self: T, mode: bool = True) -> T:
        """Set `training` on the whole tree; Dropout reads it."""
        if not isinstance(mode, bool):
            raise ValueError(
                message(
                    "training mode is expected to be boolean",
                    f"{type(self).__name__}.train({mode!r})",
                    fix="train(True), or eval()",
                )
            )
        self.training = mode
        for child in self.children():
            child.train(mode)  # which its class may have extended: a layer that stays frozen
        return self

    def eval(self: T) -> T:
        return self.train(False)

    def requires_grad_(self: T, requires_grad: bool = True) -> T:
        """Freeze (False) or thaw every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: `.grad = None`, or zeros with set_to_none=False."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = parameter.grad.detach().zero_()

    def _apply(self: T, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> T:
        """Replace every parameter's data and gradient, and every buffer, by fn of it.

        All that moves or casts a module comes here, so that a class which keeps further tensors
        extends this one method; a child's own is called for what lies below it.
        """
        if recurse:
            for child in self.children():
                child._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is None:
                    continue
                grad, parameter.grad = parameter.grad, None
                parameter.data = fn(parameter.data)
                if grad is not None:
                    parameter.grad = fn(grad.detach())
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self: T, *args: Any, **kwargs: Any) -> T:
        """to(device), to(dtype), to(device, dtype), to(tensor), to(memory_format=): in place.

        Integer tensors keep their dtype; a memory format is that of tensors of 4 and 5 dimensions.
        """
        memory_format = kwargs.pop("memory_format", None)
        first = args[0] if args else next(
            (kwargs[k] for k in ("device", "tensor", "other") if k in kwargs), None
        )  # fmt: skip
        if isinstance(first, (str, int, named_device)):
            moved = chain(self.parameters(), self.buffers())
            if next(moved, None) is None:  # a device that is not there will do, if it is one
                named_device(f"cuda:{first}" if isinstance(first, int) else first)
                return self
        probe = Tensor([0.0]).to(*args, **kwargs)
        if not (probe.is_floating_point() or probe.is_complex()):
            raise TypeError(
                message(
                    "nn.Module.to only accepts floating point or complex dtypes, "
                    f"but got desired dtype={probe.dtype}",
                    f"{type(self).__name__}.to()",
                )
            )
        gives_dtype = kwargs.get("dtype") is not None or any(
            isinstance(arg, (Tensor, type(probe.dtype))) for arg in args
        )
        if probe.is_complex():
            warn(
                "Complex modules are a new feature under active development whose design may "
                "change, and some modules might not work as expected when using complex tensors "
                "as parameters or buffers."
            )
        stays = first is None or isinstance(first, type(probe.dtype))
        dtype = probe.dtype

        def convert(tensor: Tensor) -> Tensor:
            device = tensor.device if stays else probe.device
            cast = gives_dtype and (tensor.is_floating_point() or tensor.is_complex())
            laid_out = memory_format if tensor.dim() in (4, 5) else None
            kept = dtype if cast else None
            return tensor.to(device=device, dtype=kept, memory_format=laid_out)

        return self._apply(convert)

    def to_empty(self: T, *, device: DeviceLike, recurse: bool = True) -> T:
        """Move to `device` without the values: parameters and buffers are then uninitialised."""
        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse)

    def compile(self, *args: Argument, **kwargs: Argument) -> object:
        """Record `forward`, and run it as its program from then on; as `torch.compile` does."""
        importlib.import_module("microtorch.static").in_place(self, *args, **kwargs)  # far above
        return None

    def share_memory(self: T) -> T:
        """Move parameters and buffers to memory shared with processes that are started later."""
        return self._apply(lambda tensor: tensor.share_memory_())

    def cpu(self: T) -> T:
        return self.to("cpu")

    def cuda(self: T, device: DeviceLike = None) -> T:
        return self.to("cuda" if device is None else device)

    def type(self: T, dst_type: Any) -> T:
        """Cast every parameter and buffer to `dst_type`."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def _cast(self: T, method: str) -> T:
        return self._apply(lambda t: getattr(t, method)() if t.is_floating_point() else t)

    def float(self: T) -> T:
        """Cast floating point parameters and buffers to float32."""
        return self._cast("float")

    def double(self: T) -> T:
        """Cast floating point parameters and buffers to float64."""
        return self._cast("double")

    def half(self: T) -> T:
        """Cast floating point parameters and buffers to float16."""
        return self._cast("half")

    def bfloat16(self: T) -> T:
        """Cast floating point parameters and buffers to bfloat16."""
        return self._cast("bfloat16")
