"""What a picture may be asked for, and the words there are for it."""

from __future__ import annotations

from dataclasses import dataclass

from . import style

CHOICES = {
    "rankdir": (None, "LR", "TB", "RL", "BT"),
    "grads": (None, "values", "labels", "edges", "none"),
    "ops": (None, "separate", "merged"),
}


@dataclass(frozen=True)
class Options:
    """What ``draw`` was asked for; None where the picture decides."""

    rankdir: str | None = None
    depth: int | None = None
    grads: str | None = None
    ops: str | None = None
    theme: str = "light"
    show_shapes: bool = True
    thumbnails: bool = True
    legend: bool = False
    max_nodes: int = 400
    bg: str | None = None
    show_saved: bool = False
    show_attrs: bool = False
    max_attr_chars: int = 50
    name: str = "microtorch"

    def check(self) -> None:
        """Raise ValueError, with the words there are, for an option that does not exist."""
        style.theme(self.theme)
        for key, known in CHOICES.items():
            if getattr(self, key) not in known:
                words = ", ".join(repr(k) for k in known)
                raise ValueError(
                    f"{key}={getattr(self, key)!r} is not known; choose one of {words}"
                )
        for key in ("depth", "max_nodes", "max_attr_chars"):
            value = getattr(self, key)
            if value is not None and (
                not isinstance(value, int) or isinstance(value, bool) or value < 0
            ):
                raise ValueError(
                    f"{key}={value!r}: it counts, so it must be an integer of at least 0"
                )
