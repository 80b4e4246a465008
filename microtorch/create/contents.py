"""What each family of create/ declares: ops, other kernels, functions and methods.

Written by scripts/contents.py.
"""
from __future__ import annotations

CONTENTS = {
    "counted": {
        "kernels": "spaced stepped",
        "functions": "arange linspace logspace",
    },
    "exchange": {
        "functions": "from_dlpack from_file frombuffer to_dlpack",
        "methods": "__dlpack__ __dlpack_device__",
    },
    "sharing": {
        "methods": "is_shared share_memory_",
    },
    "strided": {
        "functions": "empty_permuted empty_strided range scalar_tensor",
        "methods": "new_empty_strided",
    },
    "windows": {
        "functions": "bartlett_window blackman_window hamming_window hann_window kaiser_window",
    },
}
