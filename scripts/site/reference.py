"""The reference: which names each page has. The text is the docstrings', set by autodoc.

The names are those of the package as it is imported, since most functions are made from the table
of formulas and stand in no source file. A page is in sections, by the module where a name is at
home; the first line of that module's docstring is the section's title.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

# page -> title; the pages of classes show their methods
MODULES = {
    "microtorch": "torch", "microtorch.nn": "torch.nn",
    "microtorch.nn.functional": "torch.nn.functional", "microtorch.nn.init": "torch.nn.init",
    "microtorch.nn.utils": "torch.nn.utils", "microtorch.optim": "torch.optim",
    "microtorch.optim.lr_scheduler": "torch.optim.lr_scheduler",
    "microtorch.autograd": "torch.autograd", "microtorch.autograd.forward_ad":
    "torch.autograd.forward_ad", "microtorch.func": "torch.func",
    "microtorch.linalg": "torch.linalg", "microtorch.fft": "torch.fft",
    "microtorch.special": "torch.special", "microtorch.distributions": "torch.distributions",
    "microtorch.distributed": "torch.distributed", "microtorch.utils.data": "torch.utils.data",
    "microtorch.vision.datasets": "torchvision.datasets",
    "microtorch.vision.models": "torchvision.models",
    "microtorch.vision.transforms": "torchvision.transforms", "microtorch.viz": "viz",
}  # fmt: skip
CLASSES = ("microtorch.Tensor", "microtorch.Scalar", "microtorch.nn.Module")
WHOLE = frozenset({"Optimizer", "Trace", "Stepper", "Graph", "Poster", "Zoom", "Function"})


def write(folder: Path) -> None:
    """One page for each module and class, and their list."""
    folder.mkdir(parents=True)
    made = []
    told: dict[type, str] = {}
    for path, title in MODULES.items():
        module = importlib.import_module(path)
        (folder / f"{title}.rst").write_text(_module(path, title, module, told), encoding="utf-8")
        made.append(title)
    for path in CLASSES:
        title = path.replace("microtorch", "torch", 1)
        (folder / f"{title}.rst").write_text(_class(path, title), encoding="utf-8")
        made.insert(1, title)
    said = "The names are PyTorch's, and so are signatures and results; what differs is said."
    listed = "".join(f"   {title}\n" for title in made)
    text = f"{_title('Reference', '=')}\n{said}\n\n.. toctree::\n   :maxdepth: 1\n\n{listed}"
    (folder / "index.rst").write_text(text, encoding="utf-8")


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def _names(module: ModuleType) -> list[str]:
    names = getattr(module, "__all__", None) or dir(module)
    return sorted(n for n in names if n[0] != "_" and not inspect.ismodule(getattr(module, n)))


def _module(path: str, title: str, module: ModuleType, told: dict[type, str]) -> str:
    """A page; ``told``: the page of each class, which can be the place of links only once."""
    sections: dict[str, list[str]] = {}
    values = []
    for name in _names(module):
        value = getattr(module, name)
        if f"{path}.{name}" in CLASSES:
            continue
        if not callable(value) or not getattr(value, "__doc__", None):
            values.append(name)
        elif _ours(value, module):
            again = inspect.isclass(value) and told.setdefault(value, path) != path
            directive = _directive(path, name, value) + ("   :no-index:\n" if again else "")
            sections.setdefault(_home(value), []).append(directive)
    out = [_title(title, "="), f".. automodule:: {path}\n"]
    single = len(sections) == 1
    for home, directives in sorted(sections.items()):
        out += [*([] if single else [_title(home, "-")]), *directives]
    if values and path in ("microtorch", "microtorch.nn"):
        out += [_title("Values", "-"), ", ".join(f"``{n}``" for n in values) + "\n"]
    return "\n".join(out)


def _ours(value: Any, module: ModuleType) -> bool:
    """Not a name that the module merely imports, where it has no list of its own."""
    home = getattr(value, "__module__", None) or ""
    if not home.startswith("microtorch"):
        return False
    return hasattr(module, "__all__") or home.startswith(module.__name__)


def _home(value: Any) -> str:
    home = inspect.getmodule(value)
    if home is not None and "." not in home.__name__:  # the package itself
        return "Functions"
    first = ((home.__doc__ if home else "") or "").strip().partition("\n")[0]
    first = first.partition(": ")[0] if len(first) > 60 else first
    return first.rstrip(".:").replace("`", "").replace("*", "\\*") or "Functions"


def _directive(path: str, name: str, value: Any) -> str:
    kind = "class" if inspect.isclass(value) else "function"
    if kind == "class" and issubclass(value, BaseException):
        kind = "exception"
    members = kind == "class" and name in WHOLE and value.__name__ == name
    return f".. auto{kind}:: {path}.{name}\n" + ("   :members:\n" if members else "")


def _class(path: str, title: str) -> str:
    options = "   :members:\n   :inherited-members: object\n   :member-order: alphabetical\n"
    return f"{_title(title, '=')}\n.. autoclass:: {path}\n{options}"
