"""torch.optim: optimizers and learning rate schedules."""

from typing import Any

from ..errors import nearest
from . import lr_scheduler
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Optimizer", "lr_scheduler"]

_LATER = frozenset("Adam AdamW Adamax NAdam RAdam RMSprop Adagrad Adadelta Rprop LBFGS ASGD SparseAdam Muon".split())


def __getattr__(name: str) -> Any:
    if name in _LATER:
        raise AttributeError(f"torch.optim.{name} is not in microtorch yet; torch.optim.SGD is")
    raise AttributeError(f"module 'torch.optim' has no attribute '{name}'.{nearest(name, __all__)}")
