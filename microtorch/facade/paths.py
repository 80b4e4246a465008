"""PyTorch's import paths, and ours of earlier versions, for modules that lie elsewhere."""
from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from typing import Any

PATHS = {
    "cuda": "facade.cuda",
    "accelerator": "facade.accelerator",
    "opencl": "facade.opencl",
    "random": "facade.random",
    "special": "facade.special",
    "testing": "facade.testing",
    "__config__": "facade.config",
    "backends.mps": "facade.mps",
    "backends.cudnn": "facade.cudnn",
    "tensor": "handles.tensor",
    "scalar": "handles.scalar",
    "device": "arrays.device",
    "dtypes": "arrays.dtypes",
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        first, _, rest = fullname.partition(".")
        if first != "microtorch" or rest not in PATHS:
            return None
        module = importlib.import_module(f"microtorch.{PATHS[rest]}")
        return importlib.machinery.ModuleSpec(
            fullname, self, loader_state=(module, module.__spec__)
        )

    def create_module(self, spec: Any) -> types.ModuleType:
        return spec.loader_state[0]

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = module.__spec__.loader_state[1]


def install() -> None:
    sys.meta_path.insert(0, _Finder())
