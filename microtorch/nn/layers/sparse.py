"""Embedding: a table of vectors, read by number.

The layer is a linear map from one-hot vectors, without the multiplication by zeros: the gradient
of a row is the sum of the gradients of all places that read it.
"""

from __future__ import annotations

from ...autograd import no_grad
from ...base.errors import describe, message
from ...create.filled import empty
from ...handles.tensor import Tensor
from .. import functional as F
from .. import init
from ..common_types import DeviceLike, DTypeLike
from ..module import Module
from ..parameter import Parameter


class _Table(Module):
    """A table of vectors, `weight` (num_embeddings, embedding_dim), and how its rows are read."""

    def _keep(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None,
        max_norm: float | None, norm_type: float, scale_grad_by_freq: bool, sparse: bool,
    ) -> None:  # fmt: skip
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError(
                    message(
                        f"Padding_idx must be within num_embeddings = {num_embeddings}, "
                        f"but got {padding_idx}",
                        fix="a row of the table, such as 0",
                    )
                )
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx, self.sparse = padding_idx, sparse
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq = scale_grad_by_freq

    def _make(
        self, given: Tensor | None, device: DeviceLike, dtype: DTypeLike, freeze: bool = False
    ) -> None:
        """The weight: the one that is given, or a new one."""
        shape = (self.num_embeddings, self.embedding_dim)
        if given is not None and tuple(given.shape) != shape:
            raise AssertionError(
                message(
                    "Shape of weight does not match num_embeddings and embedding_dim",
                    f"weight {tuple(given.shape)}, expected {shape}",
                )
            )
        table = empty(shape, device=device, dtype=dtype) if given is None else given
        self.weight = Parameter(table, requires_grad=not freeze)
        if given is None:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def _settings(self) -> str:
        """Those that both layers show after the sizes of the table."""
        text = "" if self.max_norm is None else f", max_norm={self.max_norm}"
        text += f", norm_type={self.norm_type}" if self.norm_type != 2 else ""
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return text


def _sizes(embeddings: Tensor) -> tuple[int, int]:
    """The number of rows of a table, and the size of a row."""
    if embeddings.ndim != 2:
        raise AssertionError(
            message(
                "Embeddings parameter is expected to be 2-dimensional",
                f"got {describe(embeddings)}",
                fix="(number of rows, size of a row)",
            )
        )
    rows, size = embeddings.shape
    return rows, size


class Embedding(_Table):
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
        self._keep(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            sparse,
        )  # fmt: skip
        self._make(_weight, device, dtype, _freeze)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """The layer with the rows of `embeddings` (rows, dim).

        They are not trained unless freeze=False.
        """
        rows, size = _sizes(embeddings)
        settings = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
        return cls(rows, size, *settings, _weight=embeddings, _freeze=freeze)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        text += "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return text + self._settings() + (", sparse=True" if self.sparse else "")


class EmbeddingBag(_Table):
    """The sum, mean or maximum of rows of `weight` (num_embeddings, embedding_dim), bag by bag.

    int64 (B, N) is B bags of N rows; int64 (N,) is cut into bags at `offsets`. The result is (B,
    embedding_dim), 0 for an empty bag. Rows `padding_idx` are left out.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self._keep(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            sparse,
        )  # fmt: skip
        self.mode, self.include_last_offset = mode, include_last_offset
        self._make(_weight, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """The layer with the rows of `embeddings` (rows, dim), not trained unless freeze=False."""
        rows, size = _sizes(embeddings)
        bag = cls(
            rows, size, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings,
            include_last_offset, padding_idx,
        )  # fmt: skip
        bag.weight.requires_grad = not freeze
        return bag

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """`per_sample_weights`, like `input`, scale the rows of mode "sum"."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}{self._settings()}, mode={self.mode!r}"
        return text + ("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")
