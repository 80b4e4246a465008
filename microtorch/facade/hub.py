"""``torch.hub`` and ``torch.utils.model_zoo``: the files that PyTorch has fetched, and no others.

A hub's programs are written for PyTorch, and lie on other machines, as its weights do. microtorch
runs such programs and reads such weights, but fetches neither.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlparse as urlparse  # of that module, too, as libraries import it

from ..base.errors import message, unknown
from ..files.fetched import get_dir, load_state_dict_from_url, set_dir
from ..files.fetched import get_torch_home as _get_torch_home  # noqa: F401  libraries take it

if TYPE_CHECKING:
    from ..base.types import Argument

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # the start of the hash, in a file's name
load_url = load_state_dict_from_url  # model_zoo's name
REFUSED = {
    name: "clone the repository by hand and import the model's class from it"
    for name in ("help", "list", "load")
}
REFUSED["download_url_to_file"] = "download the file by hand"

__all__ = [*REFUSED, "get_dir", "load_state_dict_from_url", "load_url", "set_dir"]


def __getattr__(name: str) -> Argument:
    if name not in REFUSED:
        raise unknown("module 'torch.hub'", name, __all__)

    def refuse(*args: Argument, **kwargs: Argument) -> Argument:
        raise NotImplementedError(
            message(
                f"torch.hub.{name}(): microtorch does not fetch models from the network",
                fix=REFUSED[name],
            )
        )

    return refuse
