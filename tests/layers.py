"""The layers of the package, as docs/layers.txt lists them, lowest first."""

from typing import NamedTuple

from repository import ROOT


class Layer(NamedTuple):
    name: str
    folders: tuple[str, ...]  # and files, below microtorch/
    knows: str


def layers() -> list[Layer]:
    """A line of the file is a name, the folders, and what they know; two spaces or more between."""
    found = []
    for line in (ROOT / "docs" / "layers.txt").read_text(encoding="utf-8").splitlines():
        name, folders, knows = (part.strip() for part in line.split("  ") if part.strip())
        found.append(Layer(name, tuple(folders.split()), knows))
    return found


def table() -> str:
    """The layers as the table of docs/design.md."""
    rows = ["| | layer | folders | what it knows |", "|---|---|---|---|"]
    for i, layer in enumerate(layers()):
        folders = " ".join(f"`{name}`" for name in layer.folders)
        rows.append(f"| {i} | {layer.name} | {folders} | {layer.knows} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
