"""``torch.nn.parallel``: a module on several devices or in several processes."""
from ...base.errors import missing
from .data_parallel import DataParallel, data_parallel, gather, scatter
from .distributed import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel", "gather", "scatter"]

__getattr__ = missing(__name__, __all__)
