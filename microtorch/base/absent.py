"""PyTorch's names that are not here, and other libraries', and what to do instead: one sentence.

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
COMPILER = (
    "PyTorch's compiler is made of it; torch.compile records a run here: its result has .code, "
    ".graph, and .reason where it runs as it is written"
)
OVERRIDES = (
    "functions of torch ask no argument's class what they are to do: a class with methods of its "
    "own and as_subclass, a Function, or an op of torch.library"
)
ABSENT = {
    **dict.fromkeys(
        "_decomp _functorch _higher_order_ops _lazy _prims _refs _subclasses".split(), COMPILER
    ),
    "_dynamo.explain": COMPILER,
    "_dynamo.export": "torch.export.export(model, args)",
    "_logging": COMPILER,
    "ao": QUANTISED,
    "compiler.set_stance": "call the function that torch.compile was given, and it runs as it is "
    "written",
    "cond": "torch.where(condition, a, b)",
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
    "masked": "torch.where(mask, x, 0) and sums of it, or nan and nansum, nanmean",
    "nn.attention.flex_attention": "scaled_dot_product_attention, whose attn_mask is a mask of "
    "bool or what is added to the scores",
    "nn.qat": QUANTISED,
    "nn.quantized": QUANTISED,
    "overrides": OVERRIDES,
    "package": "torch.save(model.state_dict(), file), and the model's class in a module",
    "testing._internal": "PyTorch tests itself with it: torch.testing.assert_close, and gradcheck "
    "of torch.autograd",
    "utils._python_dispatch": OVERRIDES,
    "utils.bottleneck": "microtorch profile script.py says where its time goes",
    "utils.swap_tensors": "x.data, y.data = y.data, x.data",
    "utils.collect_env": "microtorch doctor says what there is on this machine",
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
        "quantize_per_channel quantize_per_tensor quantize_per_tensor_dynamic quint4x2 quint8 "
        "Tensor.dequantize Tensor.int_repr Tensor.q_scale Tensor.q_zero_point Tensor.qscheme "
        "Tensor.q_per_channel_axis Tensor.q_per_channel_scales Tensor.q_per_channel_zero_points"
    ).split(),
    QUANTISED,
)
ABSENT |= dict.fromkeys(
    (
        "Tensor.to_sparse_csr Tensor.to_sparse_csc Tensor.to_sparse_bsr Tensor.to_sparse_bsc "
        "Tensor.crow_indices Tensor.col_indices Tensor.ccol_indices Tensor.row_indices"
    ).split(),
    COORDINATES,
)
ABSENT |= {f"Tensor.{name}": ABSENT[name] for name in ("eig", "lstsq", "solve", "symeig")}
ABSENT["Tensor.to_mkldnn"] = "tensors have one layout here, which the kernels take as it is"
# names of other libraries, of which the nearest one of PyTorch's is not the one that is meant
FOREIGN = {
    "Tensor.astype": "x.to(dtype), or x.float(), x.long()",
    "Tensor.copy": "x.clone()",
    "array": "torch.tensor(data)",
    "expand_dims": "torch.unsqueeze(x, dim)",
    "nn.Dense": "nn.Linear(in_features, out_features)",
}


class Absent:
    """A method or attribute that is not there, and says so: to ``hasattr`` it is none."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, of: object, kind: type) -> None:
        raise AttributeError(absent(self.name), name=self.name.rpartition(".")[2], obj=of)


def absent_of(kind: str) -> dict[str, Absent]:
    """The rows of the attributes of a class, by their names."""
    names = [n for n in (*ABSENT, *FOREIGN) if n.startswith(f"{kind}.")]
    return {n.rpartition(".")[2]: Absent(n) for n in names}


def absent(name: str) -> str:
    """What is said of ``torch.<name>``; "" where the table does not know it.

    ``name`` may lie below a row: "distributed.rpc.options".
    """
    if name in FOREIGN:
        of, _, own = f"torch.{name}".rpartition(".")
        owner = "'Tensor' object" if of == "torch.Tensor" else f"module '{of}'"
        return f"{owner} has no attribute '{own}'\n  fix: {FOREIGN[name]}"
    parts = name.split(".")
    for i in range(len(parts), 0, -1):
        instead = ABSENT.get(".".join(parts[:i]))
        if instead is not None:
            owner, whole = "PyTorch", f"torch.{name}"
            if parts[0] == "vision":
                owner, whole = "torchvision", f"torch{name}"
            return f"{whole} is part of {owner}, but not of microtorch.\n  fix: {instead}"
    return ""
