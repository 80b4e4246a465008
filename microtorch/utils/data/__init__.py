"""torch.utils.data under PyTorch's path; the code is in microtorch.data."""

from ...data import *  # noqa: F403
from ...data import __all__ as __all__
from ...errors import missing

__getattr__ = missing(__name__, __all__)
