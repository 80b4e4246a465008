"""What each family of create/ declares: ops, other kernels, functions and methods.

Written by scripts/contents.py.
"""
from __future__ import annotations

CONTENTS = {
    "counted": (
        "",
        "spaced stepped",
        "arange linspace logspace",
        "",
    ),
    "exchange": (
        "",
        "",
        "from_dlpack from_file frombuffer to_dlpack",
        "__dlpack__ __dlpack_device__",
    ),
    "sharing": (
        "",
        "",
        "",
        "is_shared share_memory_",
    ),
    "strided": (
        "",
        "",
        "empty_permuted empty_strided range scalar_tensor",
        "new_empty_strided",
    ),
    "windows": (
        "",
        "",
        "bartlett_window blackman_window hamming_window hann_window kaiser_window",
        "",
    ),
}
