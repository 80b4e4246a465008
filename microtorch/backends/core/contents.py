"""The files and classes of backends/core/ whose kernels are imported when asked for.

Written by scripts/contents.py.
"""
from __future__ import annotations

FAMILIES = {
    "along": (
        "Along",
        "added_rows flip gather gathered index index_put largest_of place scatter scatter_reduce "
        "scatter_sum scatter_summed scattered summed_pairs taken tapped taps tril triu",
    ),
    "convolution": (
        "Convolution",
        "adaptive_avg_pool2d adaptive_spread avg_pool2d avg_spread conv2d conv2d_weight "
        "conv_transpose2d max_pool2d max_pool2d_vjp0 pool_gather pool_place pool_scatter",
    ),
    "distances": (
        "Distances",
        "cdist cdist_vjp0 cdist_vjp1 pdist pdist_vjp0",
    ),
    "embedding": (
        "Embedding",
        "embedding embedding_sum",
    ),
    "loss": (
        "Losses",
        "log_softmax log_softmax_vjp0 mse_loss mse_loss_vjp0 mse_loss_vjp1 nll_loss nll_loss_vjp0 "
        "softmax softmax_vjp0",
    ),
    "normalisation": (
        "Normalisation",
        "batch_norm_vjps fixed_norm group_norm group_norm_vjps layer_norm layer_norm_vjps moments",
    ),
    "optimizers": (
        "Optimizers",
        "adam_step scale sgd_step total_norm",
    ),
    "recurrent": (
        "Recurrent",
        "gru_cell gru_cell_vjp lstm_cell lstm_cell_vjp",
    ),
    "scans": (
        "Scans",
        "best cumprod cumprod_vjp0 cumsum full key_order logcumsumexp member nth recurrence "
        "row_order running_extreme searched spaced stepped",
    ),
    "special": (
        "Special",
        "digamma erfinv i0 i0e i1 i1e lgamma ndtri nextafter polygamma",
    ),
    "whole": (
        "Whole",
        "best clamp conv2d conv_transpose2d cumsum einsum flip gather index index_put matmul "
        "member place relu6 round running_extreme scatter scatter_reduce scatter_sum searched "
        "threshold tril triu",
    ),
}
