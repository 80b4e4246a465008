"""What is put around a function where it is exported; and what PyTorch's functions refuse, though
ours would compute it: dtypes, and types of arguments.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ...base.naming import settle
from ...engine.entering import called
from ...ops.node_names import naming

F = TypeVar("F", bound=Callable[..., Any])

# function -> the kinds of numpy's dtypes that PyTorch has a kernel for; "u" is uint8, "V" bfloat16
KINDS = {
    **dict.fromkeys(
        ("adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
         "adaptive_max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d", "nll_loss",
         "multi_margin_loss", "multilabel_margin_loss", "rrelu"), "fV",
    ),
    "adaptive_avg_pool1d": "fVc", "interpolate": "fVu", "upsample_nearest": "fVu",
    "unfold": "fVcb", "softsign": "fVciu", "max_pool1d": "fV", "max_pool3d": "fViu",
}  # fmt: skip

# those that PyTorch writes in C++, which looks at the types of all arguments
BUILTIN = frozenset(
    "adaptive_avg_pool1d avg_pool1d avg_pool2d avg_pool3d bilinear celu_ channel_shuffle conv1d "
    "conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity "
    "elu_ hardshrink hardtanh_ leaky_relu_ native_channel_shuffle one_hot pairwise_distance pdist "
    "pixel_shuffle pixel_unshuffle prelu relu_ rrelu_ scaled_dot_product_attention selu_ "
    "softshrink threshold_".split()
)
# functions of which the call itself is much of the time: they are called as they are
DIRECT = frozenset(
    "elu gelu hardtanh leaky_relu linear logsigmoid relu relu6 selu sigmoid silu softmax softplus "
    "tanh".split()
)


def as_called(name: str, function: F) -> F:
    """A function as users call it, under its name in nn.functional."""
    if name not in DIRECT:
        shown, strict = naming(function.__name__), name in BUILTIN
        function = called(function, False, strict, KINDS.get(function.__name__, ""), shown)
    settle(__package__, {name: function})
    return function
