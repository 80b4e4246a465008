"""torch.utils.data under PyTorch's path; the code is in microtorch.data."""

from ...data import *  # noqa: F403
from ...data import __all__ as __all__
