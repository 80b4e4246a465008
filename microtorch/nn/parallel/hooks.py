"""Communication hooks: what DistributedDataParallel does to a bucket in place of an all-reduce.

    net.register_comm_hook(None, fp16_compress_hook)

A hook gets the state that was registered and a bucket of this rank's gradients, and returns a
future of the average, in the bucket's shape. PyTorch keeps those below under
torch.distributed.algorithms.ddp_comm_hooks.default_hooks.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...arrays import dtypes
from ...distributed import all_reduce
from ...distributed.futures import Future
from ...distributed.group import ProcessGroup, world
from ...handles.tensor import Tensor


class GradBucket:
    """Gradients that travel together, as one tensor of one dimension."""

    def __init__(
        self, index: int, buffer: Tensor, params: Sequence[Tensor], starts: Sequence[int],
        last: bool,
    ) -> None:  # fmt: skip
        self._index, self._buffer, self._last = index, buffer, last
        self._params, self._starts = list(params), list(starts)

    def index(self) -> int:
        """Its number: buckets start in one order everywhere."""
        return self._index

    def buffer(self) -> Tensor:
        """All gradients, one after the other."""
        return self._buffer

    def set_buffer(self, buffer: Tensor) -> None:
        """Put other numbers in their place."""
        self._buffer = buffer

    def is_last(self) -> bool:
        """Is it the last one of a backward?"""
        return self._last

    def parameters(self) -> list[Tensor]:
        """The parameters, in the order of the buffer."""
        return list(self._params)

    def gradients(self) -> list[Tensor]:
        """The gradients in their own shapes: views of the buffer."""
        pairs = zip(self._params, self._starts, strict=True)
        return [self._buffer[s : s + p.numel()].view(p.shape) for p, s in pairs]


Hook = Callable[[Any, GradBucket], "Future[Tensor]"]


def allreduce_hook(process_group: ProcessGroup | None, bucket: GradBucket) -> Future[Tensor]:
    """The average, as without a hook."""
    return _averaged(process_group, bucket, bucket.buffer().dtype)


def fp16_compress_hook(process_group: ProcessGroup | None, bucket: GradBucket) -> Future[Tensor]:
    """The average of gradients that are rounded to float16 before they travel."""
    return _averaged(process_group, bucket, dtypes.float16)


def bf16_compress_hook(process_group: ProcessGroup | None, bucket: GradBucket) -> Future[Tensor]:
    """The average of gradients that are rounded to bfloat16 before they travel."""
    return _averaged(process_group, bucket, dtypes.bfloat16)


def _averaged(
    group: ProcessGroup | None, bucket: GradBucket, dtype: dtypes.dtype
) -> Future[Tensor]:
    chosen = world(group)
    sent = bucket.buffer().to(dtype).div(chosen.size())
    work = all_reduce(sent, group=chosen, async_op=True)
    assert work is not None
    return work.get_future().then(lambda future: future.value()[0].to(bucket.buffer().dtype))
