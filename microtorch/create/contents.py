"""What each family of create/ declares: ops, other kernels, functions and methods.

Written by scripts/contents.py.
"""
from __future__ import annotations

CONTENTS = {
    "counted": {
        "kernels": "spaced stepped",
        "functions": "arange linspace logspace",
    },
    "data": {
        "functions": "as_tensor asarray from_numpy tensor",
        "methods": "new_tensor",
    },
    "exchange": {
        "functions": "from_dlpack from_file frombuffer to_dlpack",
        "methods": "__dlpack__ __dlpack_device__",
    },
    "filled": {
        "functions": (
            "empty empty_like eye full full_like ones ones_like rand rand_like randn randn_like "
            "tril_indices triu_indices zeros zeros_like"
        ),
        "methods": "new_empty new_full new_ones new_zeros",
    },
    "legacy": {
        "functions": (
            "BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor "
            "IntTensor LongTensor ShortTensor"
        ),
        "methods": "new",
    },
    "random": {
        "kernels": "check_chances",
        "functions": (
            "Generator bernoulli get_rng_state initial_seed manual_seed multinomial normal "
            "randint randint_like randperm seed set_rng_state"
        ),
        "methods": (
            "bernoulli bernoulli_ cauchy_ exponential_ geometric_ log_normal_ multinomial normal_ "
            "random_ uniform_"
        ),
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
