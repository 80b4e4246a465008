"""Embedding: a table of vectors, read by number.

The layer is a linear map from one-hot vectors, without the multiplication by zeros: the gradient
of a row is the sum of the gradients of all places that read it.
"""

from __future__ import annotations

from typing import Any

from ...autograd import no_grad
from ...base.errors import describe, message
from ...create.filled import empty
from ...handles.tensor import Tensor
from .. import functional as F
from .. import init
from ..common_types import DeviceLike, DTypeLike
from ..module import Module
from ..parameter import Parameter


class Embedding(Module):
    """Rows of `weight` (num_embeddings, embedding_dim): int64 (*) to (*, embedding_dim).

    Initial values are normal with std 1. Row `padding_idx` starts at 0 and gets no gradient.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        if max_norm is not None or scale_grad_by_freq:
            raise NotImplementedError(
                message(
                    "Embedding: max_norm and scale_grad_by_freq are not available in microtorch",
                    f"{max_norm=}, {scale_grad_by_freq=}",
                )
            )
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(
                    message(
                        f"Padding_idx must be within num_embeddings = {num_embeddings}, "
                        f"but got {padding_idx}",
                        fix="a row of the table, such as 0",
                    )
                )
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        shape = (num_embeddings, embedding_dim)
        if _weight is None:
            table = empty(shape, device=device, dtype=dtype)
            self.weight = Parameter(table, requires_grad=not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != shape:
                raise ValueError(
                    message(
                        "Shape of weight does not match num_embeddings and embedding_dim",
                        f"weight {tuple(_weight.shape)}, expected {shape}",
                    )
                )
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        **settings: Any,
    ) -> Embedding:
        """The layer with the rows of `embeddings` (rows, dim).

        They are not trained unless freeze=False.
        """
        if embeddings.ndim != 2:
            raise ValueError(
                message(
                    "Embeddings parameter is expected to be 2-dimensional",
                    f"got {describe(embeddings)}",
                    fix="(number of rows, size of a row)",
                )
            )
        rows, dim = embeddings.shape
        return cls(rows, dim, padding_idx, _weight=embeddings, _freeze=freeze, **settings)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        text += "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return text + (", sparse=True" if self.sparse else "")
