"""torch.nn: modules, layers, losses, initial values.

Convolution, pooling, normalisation, embedding, recurrent and attention layers are not
there yet: asking for one says so.
"""

from typing import Any

from ..errors import nearest
from . import functional, init, utils
from .activations import (
    CELU,
    ELU,
    GELU,
    SELU,
    Dropout,
    Flatten,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softmin,
    Softplus,
    Softsign,
    Tanh,
    Tanhshrink,
    Unflatten,
)
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .linear import Bilinear, Identity, Linear
from .losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
)
from .module import Module
from .parameter import Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "SELU",
    "BCELoss",
    "BCEWithLogitsLoss",
    "Bilinear",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Unflatten",
    "functional",
    "init",
    "utils",
]

# PyTorch's layers that a later version brings: their absence is told apart from a misspelt name.
_LATER = frozenset(
    """
    Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d MaxPool1d MaxPool2d MaxPool3d AvgPool1d
    AvgPool2d AvgPool3d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool2d BatchNorm1d BatchNorm2d BatchNorm3d
    LayerNorm GroupNorm InstanceNorm1d InstanceNorm2d RMSNorm Embedding EmbeddingBag RNN RNNCell LSTM LSTMCell GRU
    GRUCell MultiheadAttention Transformer TransformerEncoder TransformerEncoderLayer TransformerDecoder
    TransformerDecoderLayer Dropout1d Dropout2d Dropout3d AlphaDropout Upsample ZeroPad2d ConstantPad2d ReflectionPad2d
    PixelShuffle CosineSimilarity PairwiseDistance CosineEmbeddingLoss MarginRankingLoss TripletMarginLoss CTCLoss
    PoissonNLLLoss GaussianNLLLoss HingeEmbeddingLoss SoftMarginLoss MultiMarginLoss MultiLabelMarginLoss GLU
    Hardshrink Softshrink Threshold RReLU Softmax2d DataParallel SyncBatchNorm Buffer
    """.split()
)


def __getattr__(name: str) -> Any:
    if name in _LATER:
        raise AttributeError(f"torch.nn.{name} is not in microtorch yet.{nearest(name, __all__)}")
    raise AttributeError(f"module 'torch.nn' has no attribute '{name}'.{nearest(name, __all__)}")
