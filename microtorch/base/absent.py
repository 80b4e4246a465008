"""PyTorch's modules that are not here, and what to do instead: one sentence for each.

An import of one of them, or of what lies below it, raises ModuleNotFoundError; the attribute, as in
``torch.nested``, AttributeError.
"""
from __future__ import annotations

QUANTISED = "numbers of 8 bits and fewer are not computed here; model.half() saves memory"
SHARDED = (
    "each rank keeps the whole module here: DistributedDataParallel, with ZeroRedundancyOptimizer "
    "for the optimizer's state"
)
MOBILE = "torch.compile(f).export(folder) writes a program in C, torch.onnx.export one for others"
TRITON = "there is no GPU that Triton writes for: a kernel of numpy's, by custom_op"
COORDINATES = "sparse tensors are kept by coordinates here: sparse_coo_tensor"
ABSENT = {
    "ao": QUANTISED,
    "quantization": QUANTISED,
    "distributed._shard": SHARDED,
    "distributed.checkpoint": "torch.save(model.state_dict(), file) on rank 0",
    "distributed.fsdp": SHARDED,
    "distributed.pipelining": SHARDED,
    "distributed.rpc": "processes exchange tensors and objects here, and do not call each other's "
    "functions: send and recv, or send_object_list and recv_object_list",
    "distributed.tensor": SHARDED,
    "library.triton_op": TRITON,
    "library.wrap_triton": TRITON,
    "library.register_torch_dispatch": "subclasses of Tensor see no calls of ops here: "
    "register_kernel, or a Function",
    "library.register_autocast": "cast in the kernel: x.to(torch.get_autocast_dtype('cpu'))",
    "library.get_ctx": "register_fake's function makes an output of any size: it is for opcheck",
    "library.fallthrough_kernel": "an op has one kernel for each device here, no layers of them",
    "library.get_kernel": "torch.ops.namespace.name calls it",
    "library.impl_abstract": "register_fake, its name since PyTorch 2.4",
    "nested": "pad the sequences: nn.utils.rnn.pad_sequence, and a mask",
    "utils.mobile_optimizer": MOBILE,
    "utils.cpp_extension": "an operation of one's own is a torch.autograd.Function; torch.compile "
    "writes C for what is composed of ops",
    "utils.data.datapipes": "an IterableDataset, or Python's generators, in a DataLoader",
    "vision.models.detection": "boxes are found by no model here; torchvision.ops has what is done "
    "with them: nms, box_iou, box_convert, ...",
    # what PyTorch has only to say that it is gone
    "eig": "torch.linalg.eig(A)",
    "lstsq": "torch.linalg.lstsq(A, B), with its arguments the other way round",
    "matrix_rank": "torch.linalg.matrix_rank(A)",
    "solve": "torch.linalg.solve(A, B), with its arguments the other way round",
    "symeig": "torch.linalg.eigh(A)",
    "sparse_compressed_tensor": COORDINATES,
    "sparse_csr_tensor": COORDINATES,
    "sparse_csc_tensor": COORDINATES,
}
ABSENT |= dict.fromkeys(
    (
        "dequantize fake_quantize_per_channel_affine fake_quantize_per_tensor_affine float8_e4m3fn "
        "float8_e5m2 per_channel_affine per_tensor_affine qint32 qint8 qscheme "
        "quantize_per_channel quantize_per_tensor quantize_per_tensor_dynamic quint4x2 quint8"
    ).split(),
    QUANTISED,
)


def absent(name: str) -> str:
    """What is said of ``torch.<name>``; "" where the table does not know it.

    ``name`` may lie below a row: "distributed.rpc.options".
    """
    parts = name.split(".")
    for i in range(len(parts), 0, -1):
        instead = ABSENT.get(".".join(parts[:i]))
        if instead is not None:
            owner, whole = "PyTorch", f"torch.{name}"
            if parts[0] == "vision":
                owner, whole = "torchvision", f"torch{name}"
            return f"{whole} is part of {owner}, but not of microtorch.\n  fix: {instead}"
    return ""
