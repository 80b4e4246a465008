"""SyncBatchNorm: in one process, a batch norm of any number of dimensions."""

from __future__ import annotations

from ...base.errors import message
from ...distributed.group import ProcessGroup, get_world_size, is_initialized
from ...handles.tensor import Tensor
from ..common_types import DeviceLike, DTypeLike
from ..module import Module
from .normalization import _BatchNorm


class SyncBatchNorm(_BatchNorm):
    """Batch norm of (N, C, ...), at least 2-d.

    Where several processes of a group train a model, PyTorch takes the statistics over all of them,
    on GPUs; here that raises ValueError, as it does there on the CPU.
    """

    ranks = ()

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: ProcessGroup | None = None,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(message(f"expected at least 2D input (got {input.ndim}D input)"))
        if input.shape[1] == 0:
            raise ValueError(
                message("SyncBatchNorm number of input channels should be non-zero")
            )

    def forward(self, input: Tensor) -> Tensor:
        if self.training and is_initialized() and get_world_size(self.process_group) > 1:
            raise ValueError(
                message(
                    "SyncBatchNorm expected input tensor to be on GPU or XPU or HPU",
                    "the statistics of a batch that is spread over several processes are not known "
                    "to microtorch",
                    fix="BatchNorm, which takes those of each process's part; or GroupNorm",
                )
            )
        return super().forward(input)

    @classmethod
    def convert_sync_batchnorm(
        cls, module: Module, process_group: ProcessGroup | None = None
    ) -> Module:
        """`module` with every BatchNorm layer in it replaced by this one.

        Parameters and buffers are the same tensors. Returns the module, or what replaces it.
        """
        made = module
        if isinstance(module, _BatchNorm):
            made = cls(
                module.num_features,
                module.eps,
                module.momentum,
                module.affine,
                module.track_running_stats,
                process_group,
                bias=module.bias is not None,
            )
            if module.affine:
                made.weight, made.bias = module.weight, module.bias
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(made, name, getattr(module, name))
            made.training = module.training
        for name, child in module.named_children():
            made.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return made
