"""Sequences of several lengths in one batch: padded, or packed without the padding.

    padded    (T, B, *)    all as long as the longest, filled with `padding_value`
    packed    (sum of lengths, *)    step by step, of each step only the sequences that still run

A packed batch is sorted by falling length, so that the sequences of each step are the first
`batch_sizes[t]`. RNN, LSTM and GRU take one in place of a tensor, and give one back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ...arrays.dtypes import int64
from ...base.errors import describe, message, missing
from ...create.counted import arange
from ...create.data import as_tensor, from_numpy
from ...create.filled import empty_like
from ...engine.whole import known
from ...handles.tensor import Tensor
from ...ops.arguments import tensors_only
from ...ops.join import cat

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

T = TypeVar("T")


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """A packed batch; made by `pack_padded_sequence` and `pack_sequence`.

    `data` (sum of lengths, *), `batch_sizes` (T,) on the CPU. `sorted_indices` brought the batch
    into the order of falling lengths, `unsorted_indices` bring it back; None if it came so.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError(
                    message(
                        "Expected data to be a list or tuple of length 2",
                        fix="pack_padded_sequence makes packed sequences",
                    )
                )
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                message(
                    "batch_sizes should always be on CPU. Instances of PackedSequence should never "
                    "be created manually. They should be instantiated by functions like "
                    "pack_sequence and pack_padded_sequences in nn.utils.rnn."
                )
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With its data in another dtype or on another device; `batch_sizes` stay on the CPU."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        there = [
            _optional(index, lambda index: index.to(data.device))
            for index in (self.sorted_indices, self.unsorted_indices)
        ]
        return type(self)(data, self.batch_sizes, *there)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        return self.to("cuda", *args, **kwargs)

    def cpu(self) -> PackedSequence:
        return self.to("cpu")

    def double(self) -> PackedSequence:
        return self._as("double")

    def float(self) -> PackedSequence:
        return self._as("float")

    def half(self) -> PackedSequence:
        return self._as("half")

    def bfloat16(self) -> PackedSequence:
        return self._as("bfloat16")

    def long(self) -> PackedSequence:
        return self._as("long")

    def int(self) -> PackedSequence:
        return self._as("int")

    def short(self) -> PackedSequence:
        return self._as("short")

    def char(self) -> PackedSequence:
        return self._as("char")

    def byte(self) -> PackedSequence:
        return self._as("byte")

    def _as(self, dtype: str) -> PackedSequence:
        return self.to(getattr(self.data, dtype)().dtype)

    def pin_memory(self) -> PackedSequence:
        """Itself: there is no pinned memory here."""
        return self

    def is_pinned(self) -> bool:
        return False

    @property
    def is_cuda(self) -> bool:
        return self.data.device.type == "cuda"


def _optional(value: Any, function: Callable[[Any], T]) -> T | None:
    return None if value is None else function(value)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes it."""
    if permutation is None:
        return None
    count = arange(permutation.numel(), dtype=permutation.dtype, device=permutation.device)
    return empty_like(permutation).scatter_(0, permutation, count)


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | list[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack a padded batch (T, B, *), or (B, T, *) with `batch_first`.

    The lengths must fall, or `enforce_sorted=False` sorts them, and the result remembers how.
    """
    if not isinstance(lengths, Tensor):
        lengths = as_tensor(lengths, dtype=int64)
    if lengths.ndim != 1 or lengths.device.type != "cpu":
        raise RuntimeError(
            message(
                "'lengths' argument should be a 1D CPU int64 tensor, but got "
                f"{lengths.ndim}D {lengths.device.type} {lengths.dtype} tensor",
                fix="lengths.cpu()",
            )
        )
    lengths = lengths.to(int64)
    tensors_only("pack_padded_sequence", input=input)
    if not input.numel():
        raise RuntimeError(message("Cannot pack empty tensors.", f"input is {describe(input)}"))
    steps = input.transpose(0, 1) if batch_first else input
    longest, batch = steps.size(0), steps.size(1)
    if len(lengths) != batch:
        raise RuntimeError(
            message(
                f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
                f"(batch_size={batch})",
                f"input is {describe(input)}",
                fix=f"one length for each sequence, or batch_first={not batch_first}",
            )
        )
    order = None
    if not enforce_sorted:
        lengths, order = lengths.sort(descending=True, stable=True)
        order = order.to(input.device)
        steps = steps.index_select(1, order)
    counts = known(lengths).tolist()
    if min(counts) <= 0:
        raise RuntimeError(
            message(
                "Length of all samples has to be greater than 0, but found an element in "
                "'lengths' that is <= 0",
                f"lengths are {counts}",
            )
        )
    if counts != sorted(counts, reverse=True):
        raise RuntimeError(
            message(
                "`lengths` array must be sorted in decreasing order when `enforce_sorted` is "
                "True. You can pass `enforce_sorted=False` to pack_padded_sequence and/or "
                "pack_sequence to sidestep this requirement if you do not need ONNX exportability.",
                f"lengths are {counts}",
                fix="enforce_sorted=False",
            )
        )
    if counts[0] > longest:
        raise RuntimeError(
            message(
                f"pack_padded_sequence: the longest length is {counts[0]}, but the sequences have "
                f"{longest} steps",
                f"input is {describe(input)}",
                fix=f"batch_first={not batch_first}, if the batch is the other dimension",
            )
        )
    runs = np.arange(counts[0])[:, None] < np.array(counts)  # (steps, B): which go on at step t
    where = from_numpy(np.flatnonzero(runs)).to(input.device)
    data = steps[: counts[0]].reshape(counts[0] * batch, *steps.shape[2:]).index_select(0, where)
    return PackedSequence(data, from_numpy(runs.sum(1)), order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded batch (T, B, *), or (B, T, *) with `batch_first`, and the lengths.

    T is the longest length, or `total_length`.
    """
    sizes, data, back = known(sequence.batch_sizes), sequence.data, sequence.unsorted_indices
    steps, batch = len(sizes), int(sizes[0])
    total = steps if total_length is None else total_length
    if total < steps:
        raise ValueError(
            message(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being {steps}"
            )
        )
    runs = np.arange(batch) < sizes[:, None]
    where = from_numpy(np.flatnonzero(runs)).to(data.device)
    shape = data.shape[1:]
    padded = data.new_full((total * batch, *shape), padding_value)
    padded[where] = data
    padded = padded.reshape(total, batch, *shape)
    lengths = from_numpy(runs.sum(0))
    if batch_first:
        padded = padded.transpose(0, 1)
    if back is not None:
        padded = padded.index_select(0 if batch_first else 1, back)
        lengths = lengths[back.cpu()]
    return padded, lengths


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (L_i, *) as one tensor (T, B, *), or (B, T, *) with `batch_first`.

    T is the longest length; the others are filled up behind, or before with padding_side "left".
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            message(
                "pad_sequence: Expected iterable for input sequences, but got arg of type: "
                f"{type(sequences)}",
                fix="a list of tensors",
            )
        )
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            message(f"Expected padding_side to be one of left or right, but got {padding_side}.")
        )
    parts = tuple(sequences)
    if not parts:
        raise RuntimeError(message("received an empty list of sequences", fix="at least one"))
    for part in parts:
        tensors_only("pad_sequence", sequences=part)
    shape = parts[0].shape[1:]
    if any(part.shape[1:] != shape for part in parts):
        raise RuntimeError(
            message(
                "pad_sequence: the sequences may differ in their first dimension only",
                f"shapes are {[tuple(part.shape) for part in parts]}",
            )
        )
    batch, counts = len(parts), [len(part) for part in parts]
    longest = max(counts)
    lengths = as_tensor(counts, dtype=int64).unsqueeze(1)
    step = arange(longest)
    runs = step >= longest - lengths if padding_side == "left" else step < lengths
    places = arange(batch * longest)
    places = places.reshape(batch, longest) if batch_first else places.reshape(longest, batch).T
    data = cat([part.to(parts[0].dtype) for part in parts])
    padded = data.new_full((batch * longest, *shape), padding_value)
    padded[places[runs].to(data.device)] = data
    return padded.reshape(*((batch, longest) if batch_first else (longest, batch)), *shape)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch, each of its own length."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:length] for row, length in zip(rows, known(lengths).tolist(), strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (L_i, *); see `pack_padded_sequence`."""
    lengths = [len(sequence) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch, in their own order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


__getattr__ = missing(__name__, __all__)
