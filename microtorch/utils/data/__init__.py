"""torch.utils.data under PyTorch's path; the code is in microtorch.data."""

from ...base.errors import missing
from ...data import *  # noqa: F403
from ...data import __all__ as __all__

__getattr__ = missing(__name__, __all__)
