"""In which file each name of nn.layers and of nn.functional is declared.

Written by scripts/contents.py.
"""
from __future__ import annotations

LAYERS = {name: file for file, names in {
    "..module": "Module",
    ".activations": (
        "CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid "
        "LogSoftmax Mish PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmax2d Softmin "
        "Softplus Softshrink Softsign Tanh Tanhshrink Threshold"
    ),
    ".attention": "MultiheadAttention",
    ".containers": "ModuleDict ModuleList Sequential",
    ".conv": (
        "Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d _ConvNd "
        "_ConvTransposeNd"
    ),
    ".distances": "CosineSimilarity PairwiseDistance",
    ".dropout": "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout",
    ".flatten": "Flatten Unflatten",
    ".fold": "Fold Unfold",
    ".lazy": (
        "LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d "
        "LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d "
        "LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear LazyModuleMixin"
    ),
    ".linear": "Bilinear Identity Linear NonDynamicallyQuantizableLinear",
    ".local_response": "CrossMapLRN2d LocalResponseNorm",
    ".losses": (
        "BCELoss BCEWithLogitsLoss CrossEntropyLoss HuberLoss KLDivLoss L1Loss MSELoss NLLLoss "
        "NLLLoss2d SmoothL1Loss _Loss _WeightedLoss"
    ),
    ".margin_losses": (
        "CosineEmbeddingLoss GaussianNLLLoss HingeEmbeddingLoss MarginRankingLoss "
        "MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss PoissonNLLLoss "
        "SoftMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss"
    ),
    ".normalization": (
        "BatchNorm1d BatchNorm2d BatchNorm3d GroupNorm InstanceNorm1d InstanceNorm2d "
        "InstanceNorm3d LayerNorm RMSNorm _BatchNorm _InstanceNorm _NormBase"
    ),
    ".output_losses": (
        "AdaptiveLogSoftmaxWithLoss CTCLoss LinearCrossEntropyLoss LinearCrossEntropyOptions"
    ),
    ".padding": (
        "CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d "
        "ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d "
        "ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d"
    ),
    ".parameter_lists": "ParameterDict ParameterList",
    ".pooling": (
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d "
        "AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d FractionalMaxPool2d "
        "FractionalMaxPool3d LPPool1d LPPool2d LPPool3d MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d "
        "MaxUnpool2d MaxUnpool3d"
    ),
    ".resampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
    ".rnn": "GRU LSTM RNN RNNBase",
    ".rnn_cells": "GRUCell LSTMCell RNNCell RNNCellBase",
    ".shuffles": "ChannelShuffle PixelShuffle PixelUnshuffle",
    ".sparse": "Embedding EmbeddingBag",
    ".sync_batch_norm": "SyncBatchNorm",
    ".transformer": (
        "Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder "
        "TransformerEncoderLayer"
    ),
}.items() for name in names.split()}
FUNCTIONS = {name: file for file, names in {
    "...ops.batch_norm": "batch_norm instance_norm",
    "...ops.conv": "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
    "...ops.ctc": "ctc_loss",
    "...ops.distances": "pdist",
    "...ops.fold": "fold unfold",
    "...ops.max_pool": (
        "adaptive_max_pool1d adaptive_max_pool1d_with_indices adaptive_max_pool2d "
        "adaptive_max_pool2d_with_indices adaptive_max_pool3d adaptive_max_pool3d_with_indices "
        "max_pool1d_with_indices max_pool2d_with_indices max_pool3d max_pool3d_with_indices"
    ),
    "...ops.norm": "group_norm layer_norm local_response_norm rms_norm",
    "...ops.pool": (
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d avg_pool2d "
        "avg_pool3d max_pool1d max_pool2d"
    ),
    ".activations": (
        "celu celu_ elu elu_ gelu glu gumbel_softmax hardshrink hardsigmoid hardswish hardtanh "
        "hardtanh_ leaky_relu leaky_relu_ log_softmax logsigmoid mish prelu relu relu6 relu_ "
        "rrelu rrelu_ selu selu_ sigmoid silu softmax softmin softplus softshrink softsign tanh "
        "tanhshrink threshold threshold_"
    ),
    ".attention": "scaled_dot_product_attention",
    ".bags": "embedding_bag",
    ".classification": "cross_entropy linear_cross_entropy nll_loss",
    ".distances": "cosine_similarity normalize pairwise_distance",
    ".dropouts": "alpha_dropout dropout dropout1d dropout2d dropout3d feature_alpha_dropout",
    ".grids": "affine_grid affine_grid_generator grid_sample grid_sampler",
    ".likelihoods": "gaussian_nll_loss poisson_nll_loss",
    ".linear_maps": "bilinear conv_tbc linear",
    ".margins": (
        "cosine_embedding_loss hinge_embedding_loss margin_ranking_loss multi_margin_loss "
        "multilabel_margin_loss multilabel_soft_margin_loss soft_margin_loss triplet_margin_loss "
        "triplet_margin_with_distance_loss"
    ),
    ".multihead": "multi_head_attention_forward",
    ".padding": "pad",
    ".pooling": (
        "fractional_max_pool2d fractional_max_pool2d_with_indices fractional_max_pool3d "
        "fractional_max_pool3d_with_indices lp_pool1d lp_pool2d lp_pool3d max_unpool1d "
        "max_unpool2d max_unpool3d"
    ),
    ".probabilities": "binary_cross_entropy binary_cross_entropy_with_logits kl_div",
    ".regression": "huber_loss l1_loss mse_loss smooth_l1_loss",
    ".resampling": "interpolate upsample upsample_bilinear upsample_nearest",
    ".shuffles": "channel_shuffle native_channel_shuffle pixel_shuffle pixel_unshuffle",
    ".sparse": "embedding one_hot",
}.items() for name in names.split()}
