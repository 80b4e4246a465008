"""From a list of samples to a batch: the same structure, with a leading batch dimension.

tensors, numpy arrays   stacked
int, bool, float        one tensor (int64, bool, float64)
str, bytes              left in a list
dict, tuple, list       element by element; all samples must have the same keys or length
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...base.errors import message
from ...create.data import as_tensor, tensor
from ...handles.tensor import Tensor
from ...ops.join import stack
from .nouns import Batch, Index, Sample


def default_collate(batch: Sequence[Sample]) -> Batch:
    """Put the samples of `batch` together; TypeError for a kind of sample that has no rule."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch), 0)
    if isinstance(first, np.ndarray) and first.dtype.kind not in "SUO":
        return stack([as_tensor(array) for array in batch], 0)
    if isinstance(first, (bool, int, np.generic)) and not isinstance(first, (np.str_, np.bytes_)):
        return as_tensor(np.array(batch)) if isinstance(first, np.generic) else tensor(list(batch))
    if isinstance(first, float):
        return as_tensor(np.array(batch, np.float64))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        collated = {key: default_collate([sample[key] for sample in batch]) for key in first}
        return _like(first, collated)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(column) for column in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError(
                message(
                    "each element in list of batch should be of equal size",
                    f"got sizes {[len(sample) for sample in batch]}",
                    fix="a collate_fn that pads them",
                )
            )
        return [default_collate(column) for column in zip(*batch, strict=True)]
    raise TypeError(
        message(
            "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
            f"found {type(first)}",
            fix="give the DataLoader a collate_fn for other samples",
        )
    )


def default_convert(data: Sample) -> Sample:
    """numpy arrays inside `data` become tensors, everything else stays.

    What a DataLoader does with batch_size=None.
    """
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind not in "SUO":
        return as_tensor(data)
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(value) for value in data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return [default_convert(value) for value in data]
    return data


def _like(model: Mapping[Any, Any], items: dict[Any, Any]) -> Batch:
    """`items` as the mapping type of `model`, where its constructor takes a dict."""
    kind: Index = type(model)
    try:
        return kind(items)
    except TypeError:
        return items
