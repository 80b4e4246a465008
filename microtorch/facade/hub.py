"""``torch.hub`` and ``torch.utils.model_zoo``: refused, with the way out.

What a hub loads are programs written for PyTorch and weights on other machines. microtorch reads
such weights from a file, and runs such programs, but fetches neither.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlparse as urlparse  # of that module, too, as libraries import it

from ..base.errors import message, unknown

if TYPE_CHECKING:
    from ..base.types import Argument

_PROGRAMS = ("help", "list", "load")
_FILES = ("download_url_to_file", "load_state_dict_from_url", "load_url")
_FOLDER = ("get_dir", "set_dir")
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # the start of the hash, in a file's name


def __getattr__(name: str) -> Argument:
    if name not in (*_PROGRAMS, *_FILES, *_FOLDER):
        raise unknown("module 'torch.hub'", name, (*_PROGRAMS, *_FILES, *_FOLDER))

    def refuse(*args: Argument, **kwargs: Argument) -> Argument:
        raise NotImplementedError(
            message(
                f"torch.hub.{name}(): microtorch does not fetch models from the network",
                fix="download the file of weights by hand; model.load_state_dict(torch.load(path)) "
                "reads it"
                if name in _FILES
                else "clone the repository by hand and import the model's class from it",
            )
        )

    return refuse
