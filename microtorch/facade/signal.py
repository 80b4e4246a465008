"""``torch.signal``: its one module ``windows``."""

from ..base.errors import missing
from ..create import windows as windows

__path__: list[str] = []  # a package, so that torch.signal.windows can be imported
__all__ = ["windows"]
__getattr__ = missing("torch.signal", __all__)
