"""PyTorch's names for how a tensor's elements are kept. Here all tensors are ``strided``."""
from __future__ import annotations


class Constant:
    """One of PyTorch's named constants: it prints, and is pickled, as ``torch.<name>``."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout(Constant):
    """How elements are kept, as in ``torch.zeros(2, layout=torch.strided)``."""

    __slots__ = ()


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
NAMES = (
    "layout", "strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc",
)  # fmt: skip
