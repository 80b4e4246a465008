"""torch.optim: optimizers and learning rate schedules.

A file is imported when the first of its names is asked for; see nn/layers/__init__.py.
"""

from typing import TYPE_CHECKING

from ..base.errors import missing
from ..base.promises import on_demand
from .contents import OPTIMIZERS

if TYPE_CHECKING:
    from . import lr_scheduler, swa_utils
    from .adafactor import Adafactor
    from .adam import Adam, AdamW
    from .adam_variants import Adamax, NAdam, RAdam
    from .adaptive import Adadelta, Adagrad, RMSprop
    from .asgd import ASGD
    from .lbfgs import LBFGS
    from .muon import Muon
    from .optimizer import Optimizer
    from .rprop import Rprop
    from .sgd import SGD
    from .sparse_adam import SparseAdam

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]

__getattr__ = on_demand(globals(), OPTIMIZERS, missing(__name__, __all__))
