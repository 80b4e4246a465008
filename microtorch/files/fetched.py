"""The folder where PyTorch keeps the files that it has fetched. microtorch fetches none, and reads
those that are there.
"""
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from ..base.errors import message
from .load import load

if TYPE_CHECKING:
    from ..base.types import Tree
    from .memory import Location

_chosen: list[str] = []  # by set_dir


def get_torch_home() -> str:
    """$TORCH_HOME, or torch in $XDG_CACHE_HOME, which is ~/.cache if it is not set."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return os.path.expanduser(os.environ.get("TORCH_HOME") or os.path.join(cache, "torch"))


def get_dir() -> str:
    """The folder that ``set_dir`` has chosen; without, hub below ``get_torch_home``."""
    return _chosen[-1] if _chosen else os.path.join(get_torch_home(), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Let ``get_dir`` be another folder, until the program ends."""
    _chosen[:] = [os.path.expanduser(d)]


def checkpoints() -> Path:
    """The folder of the files of weights."""
    return Path(get_dir()) / "checkpoints"


def load_state_dict_from_url(
    url: str, model_dir: str | None = None, map_location: Location = None, progress: bool = True,
    check_hash: bool = False, file_name: str | None = None, weights_only: bool = False,
) -> Tree:  # fmt: skip
    """What ``torch.load`` reads from the file of that address, which has to be there already.

    ``model_dir``: its folder, that of ``checkpoints`` by default. ``file_name``: its name there,
    the last part of the address by default. ``progress`` and ``check_hash`` are of fetching, and
    not used. Raises FileNotFoundError, with the place where the file is looked for.
    """
    path = Path(model_dir or checkpoints()) / (file_name or os.path.basename(urlparse(url).path))
    if not path.is_file():
        raise FileNotFoundError(
            message(
                f"torch.hub.load_state_dict_from_url(): microtorch does not fetch files, and "
                f"{path} is not there",
                fix=f"get {url} and put it there, or load it from where it is: torch.load(file)",
            )
        )
    return load(path, map_location=map_location, weights_only=weights_only)
