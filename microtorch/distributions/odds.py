"""Distributions given by `probs` or by `logits`: one is kept, the other computed when asked for."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import message
from .distribution import Distribution
from .utils import lazy_property, logits_to_probs, probs_to_logits

if TYPE_CHECKING:
    from ..handles.size import Size
    from ..handles.tensor import Tensor
    from .utils import Real


def given(probs: Real | None, logits: Real | None) -> dict[str, Real]:
    """The one that is given, under its name. Raises ValueError where it is not exactly one."""
    if probs is not None and logits is None:
        return {"probs": probs}
    if logits is not None and probs is None:
        return {"logits": logits}
    raise ValueError(message("Either `probs` or `logits` must be specified, but not both."))


class Odds(Distribution):
    """A chance `probs`, or its log odds `logits`."""

    _binary = True  # else the last dimension is a whole distribution

    @lazy_property
    def probs(self) -> Tensor:
        return logits_to_probs(self.logits, is_binary=self._binary)

    @lazy_property
    def logits(self) -> Tensor:
        return probs_to_logits(self.probs, is_binary=self._binary)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs"] if "probs" in self.__dict__ else self.logits

    @property
    def param_shape(self) -> Size:
        return self._param.shape
