"""``torch.jit.annotations``: the names of types that TorchScript reads, under which files import
them.
"""
from __future__ import annotations

from typing import Any, Optional, Union

Dict, List, Tuple = dict, list, tuple

__all__ = ["Any", "Dict", "List", "Optional", "Tuple", "Union"]
