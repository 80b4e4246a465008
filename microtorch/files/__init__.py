"""Files that hold data and nothing else: `torch.save` and `torch.load`.

PyTorch's files are pickles, and unpickling may run any code that the file names. A microtorch file
is a zip archive that any tool can open and nothing can execute:

    microtorch.json     {"format": "microtorch", "version": 1, "root": ...,
                         "storages": [["float32", [784, 128]], ...]}
    data/0, data/1 ...  the elements of each storage, row by row, little-endian

In `root` a number, string, bool or null is itself; everything else is a list whose first element
says what it is: `["tensor", 3, true]` is storage 3, requiring gradient, `["dict", [[key, value],
...]]` a dict. Tensors on the same elements (tied weights) name the same storage, and share memory
again when loaded.
"""

from ..base.errors import missing
from .load import load
from .save import save

__all__ = ["load", "save"]

__getattr__ = missing(__name__, __all__)
