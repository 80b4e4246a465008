"""``torch.distributed``: several processes that compute together, on MPI.

group.py tells who takes part; collectives.py, lists.py and transfers.py what they exchange,
objects.py the same for Python objects; run.py starts them. ``nn.parallel`` builds
DistributedDataParallel on it.
"""
from __future__ import annotations

from ..base.errors import missing
from .buffers import Work
from .collectives import ReduceOp, all_reduce, barrier, broadcast, monitored_barrier, reduce
from .group import (
    Backend,
    DistError,
    GroupMember,
    ProcessGroup,
    destroy_process_group,
    get_backend,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_available,
    is_gloo_available,
    is_initialized,
    is_mpi_available,
    is_nccl_available,
    is_torchelastic_launched,
    new_group,
)  # fmt: skip
from .joining import Join, Joinable, JoinHook
from .lists import (
    all_gather,
    all_gather_into_tensor,
    all_to_all,
    all_to_all_single,
    gather,
    reduce_scatter,
    reduce_scatter_tensor,
    scatter,
)  # fmt: skip
from .objects import (
    all_gather_object,
    broadcast_object_list,
    gather_object,
    recv_object_list,
    scatter_object_list,
    send_object_list,
)  # fmt: skip
from .transfers import P2POp, batch_isend_irecv, irecv, isend, recv, send

DistBackendError = DistError  # PyTorch's name

__all__ = [
    "Backend", "DistBackendError", "DistError", "GroupMember", "Join", "JoinHook", "Joinable",
    "P2POp", "ProcessGroup", "ReduceOp", "Work",
    "all_gather",
    "all_gather_into_tensor", "all_gather_object", "all_reduce", "all_to_all", "all_to_all_single",
    "barrier", "batch_isend_irecv", "broadcast", "broadcast_object_list", "destroy_process_group",
    "gather", "gather_object", "get_backend", "get_global_rank", "get_group_rank",
    "get_node_local_rank", "get_process_group_ranks", "get_rank", "get_world_size", "group",
    "init_process_group", "irecv", "is_available", "is_gloo_available", "is_initialized",
    "is_mpi_available", "is_nccl_available", "is_torchelastic_launched", "isend",
    "monitored_barrier", "new_group", "recv", "recv_object_list", "reduce", "reduce_scatter",
    "reduce_scatter_tensor", "scatter", "scatter_object_list", "send", "send_object_list",
]  # fmt: skip

__getattr__ = missing(__name__, __all__)
