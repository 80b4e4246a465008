"""The user's line: which frame of the stack is the user's, and where in the source it stands."""
from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any, NamedTuple

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_VIZ = os.path.join(os.path.dirname(os.path.dirname(_PACKAGE)), "viz") + os.sep
# code in the package that is written as a user would write it, and is shown as such
_LESSONS = tuple(os.path.join(_PACKAGE, "programs", name) for name in ("demo.py", "tour.py"))


def _is_ours(file: str) -> bool:
    return (file.startswith((_PACKAGE, _VIZ)) and not file.startswith(_LESSONS)) or file.startswith(
        "<microtorch"
    )


class _Files(dict[str, bool]):
    def __missing__(self, file: str) -> bool:
        self[file] = _is_ours(file)
        return self[file]


# File name -> is it ours? Filled as files are met.
is_library: dict[str, bool] = _Files()


def user_frame(frame: Any) -> Any:
    """The nearest frame outwards from ``frame`` that is not the library's own."""
    ours = is_library
    while ours[frame.f_code.co_filename] and (outer := frame.f_back) is not None:
        frame = outer
    return frame


# the code object in which the last op was called: mostly, so is the next one
last_user_code: list[Any] = [None]


def users(frame: Any, code: Any) -> tuple[Any, Any]:
    """The user's frame from ``frame`` outwards, and its code object.

    The code object is remembered if the frame itself is the user's.
    """
    outer = user_frame(frame)
    if outer is frame:
        last_user_code[0] = code
    return outer, outer.f_code


class Site(NamedTuple):
    """A place in the user's source.

    Columns are 0-based, end exclusive, None where Python (3.10) does not know them.
    """

    file: str
    line: int
    end_line: int | None
    column: int | None
    end_column: int | None
    function: str

    @classmethod
    def of(cls, code: Any, lasti: int) -> Site:
        line, end, start, stop = code.co_firstlineno, None, None, None
        if sys.version_info >= (3, 11):
            position = next((p for i, p in enumerate(code.co_positions()) if i == lasti // 2), None)
            if position is not None and position[0] is not None:
                line, end, start, stop = position
        else:
            for first, last, number in code.co_lines():
                if first <= lasti < last and number is not None:
                    line = number
        return cls(code.co_filename, line, end, start, stop, code.co_name)

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}"


_STANDARD = os.path.dirname(os.__file__) + os.sep if hasattr(os, "__file__") else "<none>"
_INSTALLED = tuple(os.path.join(_STANDARD, name) for name in ("site-packages", "dist-packages"))


def told_frame(frame: FrameType) -> FrameType:
    """The user's frame that messages name: whoever calls copy.deepcopy, and not copy.py."""
    found = outer = user_frame(frame)
    while (file := outer.f_code.co_filename).startswith(_STANDARD):
        if file.startswith(_INSTALLED):
            break
        if outer.f_back is None:
            return found
        outer = user_frame(outer.f_back)
    return outer


def here() -> Site:
    """The user's line that is running now: for error messages."""
    frame = told_frame(sys._getframe(1))
    return Site.of(frame.f_code, frame.f_lasti)
