"""Does an array that is made while a function is recorded hold nothing but what guards see?

Then it is a constant of the program: zeros of a size, or a list of Python's numbers. An array of
numpy, or of a file, may hold other numbers at the next call.
"""
from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from ..graph import user_frame
from ..handles.size import Size

if TYPE_CHECKING:
    from ..base.types import Frame, Operand

# files whose functions make arrays of sizes and numbers, without data
WITHOUT_DATA = re.compile(
    r"/microtorch/(create/(counted|filled|windows|strided)|func/arguments|nn/init|nn/utils/rnn|"
    r"autograd/(custom|function|functional|function_kinds|gradients)|"
    r"(ops|linalg|fft|nn/functional|nn/layers)/\w+)\.py$"
)
# torch.tensor and its like, which call what they are given ``data``
OF_DATA = ("/microtorch/create/data.py", "/microtorch/handles/tensor.py")

def without_data() -> bool:
    """Is a function running that makes arrays of sizes and numbers only, or of a list of numbers?
    Guards see the list as they see a number."""
    frame: Frame | None = sys._getframe(2)
    last = user_frame(frame)
    while frame is not None and frame is not last:
        file = frame.f_code.co_filename.replace("\\", "/")
        if WITHOUT_DATA.search(file):
            return True
        if file.endswith(OF_DATA) and of_numbers(frame.f_locals.get("data")):
            return True
        frame = frame.f_back
    return False


def of_numbers(x: Operand) -> bool:
    """Is it a number of Python, a range, or a list or tuple of such, or of lists?"""
    if type(x) in (list, tuple, Size):
        return all(map(of_numbers, x))
    return type(x) in (bool, int, float, complex, range)
