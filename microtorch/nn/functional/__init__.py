"""torch.nn.functional: the functions behind the layers, without their parameters.

Some are ops of the engine: convolution, pooling, norms, activations. The others are composed of
ops, so that a picture of the graph shows each step.

A file is imported when the first of its functions is named; see layers/__init__.py.
"""

from typing import TYPE_CHECKING

from ...base.errors import missing
from ...base.promises import on_demand
from ..contents import FUNCTIONS
from .accepted import as_called

if TYPE_CHECKING:
    from ...ops.batch_norm import batch_norm, instance_norm
    from ...ops.conv import (
        conv1d,
        conv2d,
        conv3d,
        conv_transpose1d,
        conv_transpose2d,
        conv_transpose3d,
    )
    from ...ops.ctc import ctc_loss
    from ...ops.distances import pdist
    from ...ops.fold import fold, unfold
    from ...ops.max_pool import (
        adaptive_max_pool1d,
        adaptive_max_pool1d_with_indices,
        adaptive_max_pool2d,
        adaptive_max_pool2d_with_indices,
        adaptive_max_pool3d,
        adaptive_max_pool3d_with_indices,
        max_pool1d_with_indices,
        max_pool2d_with_indices,
        max_pool3d,
        max_pool3d_with_indices,
    )
    from ...ops.norm import group_norm, layer_norm, local_response_norm, rms_norm
    from ...ops.pool import (
        adaptive_avg_pool1d,
        adaptive_avg_pool2d,
        adaptive_avg_pool3d,
        avg_pool1d,
        avg_pool2d,
        avg_pool3d,
        max_pool1d,
        max_pool2d,
    )
    from .activations import (
        celu,
        celu_,
        elu,
        elu_,
        gelu,
        glu,
        gumbel_softmax,
        hardshrink,
        hardsigmoid,
        hardswish,
        hardtanh,
        hardtanh_,
        leaky_relu,
        leaky_relu_,
        log_softmax,
        logsigmoid,
        mish,
        prelu,
        relu,
        relu6,
        relu_,
        rrelu,
        rrelu_,
        selu,
        selu_,
        sigmoid,
        silu,
        softmax,
        softmin,
        softplus,
        softshrink,
        softsign,
        tanh,
        tanhshrink,
        threshold,
        threshold_,
    )
    from .attention import scaled_dot_product_attention
    from .bags import embedding_bag
    from .classification import cross_entropy, linear_cross_entropy, nll_loss
    from .distances import cosine_similarity, normalize, pairwise_distance
    from .dropouts import (
        alpha_dropout,
        dropout,
        dropout1d,
        dropout2d,
        dropout3d,
        feature_alpha_dropout,
    )
    from .grids import affine_grid, affine_grid_generator, grid_sample, grid_sampler
    from .likelihoods import (
        gaussian_nll_loss,
        poisson_nll_loss,
    )
    from .linear_maps import bilinear, conv_tbc, linear
    from .margins import (
        cosine_embedding_loss,
        hinge_embedding_loss,
        margin_ranking_loss,
        multi_margin_loss,
        multilabel_margin_loss,
        multilabel_soft_margin_loss,
        soft_margin_loss,
        triplet_margin_loss,
        triplet_margin_with_distance_loss,
    )
    from .multihead import multi_head_attention_forward
    from .padding import pad
    from .pooling import (
        fractional_max_pool2d,
        fractional_max_pool2d_with_indices,
        fractional_max_pool3d,
        fractional_max_pool3d_with_indices,
        lp_pool1d,
        lp_pool2d,
        lp_pool3d,
        max_unpool1d,
        max_unpool2d,
        max_unpool3d,
    )
    from .probabilities import (
        binary_cross_entropy,
        binary_cross_entropy_with_logits,
        kl_div,
    )
    from .regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss
    from .resampling import (
        interpolate,
        upsample,
        upsample_bilinear,
        upsample_nearest,
    )
    from .shuffles import (
        channel_shuffle,
        native_channel_shuffle,
        pixel_shuffle,
        pixel_unshuffle,
    )
    from .sparse import embedding, one_hot

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices", "affine_grid",
    "affine_grid_generator", "alpha_dropout", "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "batch_norm", "bilinear", "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu",
    "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "cosine_embedding_loss", "cosine_similarity",
    "cross_entropy", "ctc_loss", "dropout", "dropout1d", "dropout2d", "dropout3d", "elu", "elu_",
    "embedding", "embedding_bag", "feature_alpha_dropout", "fold", "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices", "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices", "gaussian_nll_loss", "gelu", "glu", "grid_sample",
    "grid_sampler", "group_norm", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish",
    "hardtanh", "hardtanh_", "hinge_embedding_loss", "huber_loss", "instance_norm", "interpolate",
    "kl_div", "l1_loss", "layer_norm", "leaky_relu", "leaky_relu_", "linear",
    "linear_cross_entropy", "local_response_norm", "log_softmax", "logsigmoid", "lp_pool1d",
    "lp_pool2d", "lp_pool3d", "margin_ranking_loss", "max_pool1d", "max_pool1d_with_indices",
    "max_pool2d", "max_pool2d_with_indices", "max_pool3d", "max_pool3d_with_indices",
    "max_unpool1d", "max_unpool2d", "max_unpool3d", "mish", "mse_loss",
    "multi_head_attention_forward", "multi_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "native_channel_shuffle", "nll_loss", "normalize", "one_hot",
    "pad", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss",
    "prelu", "relu", "relu6", "relu_", "rms_norm", "rrelu", "rrelu_",
    "scaled_dot_product_attention", "selu", "selu_", "sigmoid", "silu", "smooth_l1_loss",
    "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh",
    "tanhshrink", "threshold", "threshold_", "triplet_margin_loss",
    "triplet_margin_with_distance_loss", "unfold", "upsample", "upsample_bilinear",
    "upsample_nearest",
]  # fmt: skip

__getattr__ = on_demand(globals(), FUNCTIONS, missing(__name__, __all__), as_called)
