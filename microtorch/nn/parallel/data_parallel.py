"""DataParallel: one process, several OpenCL devices; without several, the module as it is."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...arrays.device import device as device_of
from ...backends.opencl.runtime import device_names
from ...base.errors import message
from ...base.types import Argument
from ...func.modules import functional_call
from ...handles.tensor import Tensor
from ...ops.surface import FUNCTIONS
from ..module import Module


class DataParallel(Module):
    """``module``, each of several devices with its share of the batch.

    A module whose parameters lie on an OpenCL device is copied to all devices of ``device_ids``
    (None: all that there are) at each forward; tensors among the inputs are split along ``dim``,
    and the outputs joined on ``output_device`` (None: the first). Gradients add up in the module's
    own parameters; buffers are those of the first device's share. On the CPU, or with one device,
    it is the module as it is, as PyTorch's without GPUs. State dicts have PyTorch's names:
    ``module.weight``.
    """

    dim, output_device = 0, None  # which PyTorch leaves out of its files where it has no GPU

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Argument = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.module, self.dim = module, dim
        self.device_ids: list[Any] = list(device_ids or [])
        self.output_device = output_device

    def forward(self, *inputs: Argument, **kwargs: Argument) -> Argument:
        """Raises RuntimeError where the module does not lie on the first of the devices."""
        tensors = [*self.module.parameters(), *self.module.buffers()]
        if not any(t.device.type == "opencl" for t in tensors):
            return self.module(*inputs, **kwargs)
        devices = [_device(i) for i in self.device_ids or range(len(device_names()))]
        for t in tensors:
            if t.device != devices[0]:
                raise RuntimeError(
                    message(
                        f"module must have its parameters and buffers on device {devices[0]} "
                        f"(device_ids[0]) but found one of them on device: {t.device}"
                    )
                )
        shares = scatter(inputs, devices, self.dim)
        named = scatter(kwargs, devices, self.dim)
        n = max(len(shares), len(named), 1)
        shares += [()] * (n - len(shares))
        named += [{}] * (n - len(named))
        outputs = [self.module(*shares[0], **named[0])]
        for where, share, words in zip(devices[1:n], shares[1:], named[1:], strict=True):
            copies = {k: v.to(where) for k, v in self.module.named_parameters()}
            copies |= {k: v.to(where) for k, v in self.module.named_buffers()}
            outputs.append(functional_call(self.module, copies, tuple(share), words))
        where = devices[0] if self.output_device is None else _device(self.output_device)
        return outputs[0] if n == 1 else gather(outputs, where, self.dim)


def data_parallel(
    module: Module,
    inputs: Argument,
    device_ids: Sequence[Any] | None = None,
    output_device: object = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Argument:
    """``DataParallel(module, ...)(*inputs, **module_kwargs)``: the functional form."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    return DataParallel(module, device_ids, output_device, dim)(*given, **(module_kwargs or {}))


def scatter(inputs: Argument, target_gpus: Sequence[Any], dim: int = 0) -> list[Any]:
    """What each device gets: tensors in parts along ``dim``, all else as it is.

    There are fewer shares than devices where a tensor has fewer parts.
    """
    devices = [_device(i) for i in target_gpus]
    sizes: list[int] = []
    _each(inputs, lambda t: sizes.append(len(t.chunk(len(devices), dim))))
    n = max(sizes, default=len(devices) if inputs else 0)

    def share(k: int) -> Argument:
        return _each(inputs, lambda t: t.chunk(len(devices), dim)[k].to(devices[k]))

    return [share(k) for k in range(n)]


def gather(outputs: Sequence[Any], target_device: Argument, dim: int = 0) -> Argument:
    """The devices' outputs joined along ``dim`` on one; numbers become a vector."""
    first, where = outputs[0], _device(target_device)
    if isinstance(first, Tensor):
        parts = [o.to(where) for o in outputs]
        return FUNCTIONS["cat"]([p.unsqueeze(0) if not p.dim() else p for p in parts], dim)
    if isinstance(first, dict):
        return type(first)((k, gather([o[k] for o in outputs], where, dim)) for k in first)
    if isinstance(first, (list, tuple)):
        joined = [gather(parts, where, dim) for parts in zip(*outputs, strict=True)]
        return type(first)(*joined) if hasattr(first, "_fields") else type(first)(joined)
    return first


def _each(tree: Argument, change: Callable[[Tensor], Any]) -> Argument:
    """The tree with every tensor changed."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, dict):
        return type(tree)((k, _each(v, change)) for k, v in tree.items())
    if isinstance(tree, (list, tuple)):
        changed = [_each(v, change) for v in tree]
        return type(tree)(*changed) if hasattr(tree, "_fields") else type(tree)(changed)
    return tree


def _device(where: Argument) -> device_of:
    return device_of("opencl", where) if isinstance(where, int) else device_of(where)
