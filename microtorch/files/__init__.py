"""Files: `torch.save` and `torch.load` in PyTorch's own format, both ways, and safetensors.

    m = torch.load("resnet18.pth", map_location="cpu")     PyTorch wrote it
    torch.save(model.state_dict(), "mine.pth")             PyTorch reads it

PyTorch's files are pickles, and Python's unpickler runs any code that a file names. `machine.py`
runs a pickle without running code: names lead to the functions of one table (`allowed.py`), which
make data. What reading may cost is bounded by the file's size (`guard.py`), and all numbers are
checked before they are used (`archive.py`, `storages.py`, `memory.py`).
"""

from ..base.errors import missing
from . import safetensors
from .allowed import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from .errors import FileError
from .layout import MAGIC_NUMBER, PROTOCOL_VERSION
from .load import get_unsafe_globals_in_checkpoint, load
from .memory import Location as MAP_LOCATION
from .save import DEFAULT_PROTOCOL, save

__all__ = [
    "DEFAULT_PROTOCOL",
    "MAGIC_NUMBER",
    "MAP_LOCATION",
    "PROTOCOL_VERSION",
    "FileError",
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "safe_globals",
    "safetensors",
    "save",
]

__getattr__ = missing(__name__, __all__)
