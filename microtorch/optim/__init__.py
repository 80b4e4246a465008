"""torch.optim: optimizers and learning rate schedules."""

from typing import Any

from ..base.errors import unknown
from . import lr_scheduler
from .adam import Adam, AdamW
from .adaptive import Adadelta, Adagrad, RMSprop
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]

_LATER = frozenset("Adamax NAdam RAdam Rprop LBFGS ASGD SparseAdam Muon".split())


def __getattr__(name: str) -> Any:
    if name in _LATER:
        raise AttributeError(
            f"torch.optim.{name} is not in microtorch; there are {', '.join(__all__[:5])}, RMSprop"
        )
    raise unknown("module 'torch.optim'", name, __all__)
