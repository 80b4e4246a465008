"""Train and eval mode of a tree of modules: what changes them for a while gives each its own back.

`model.train(was_training)` would not: a part may be in another mode than the whole, as a norm that
is frozen by `model.norm.eval()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .module import Module


@contextmanager
def modes_kept(model: Module) -> Iterator[None]:
    """In the block modes may change; afterwards each module is in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
