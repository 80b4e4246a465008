"""What each family of ops/ declares: ops, other kernels, functions and methods.

Written by scripts/contents.py.
"""
from __future__ import annotations

CONTENTS = {
    "addmm": (
        "",
        "",
        "addbmm addmm addmv addr baddbmm",
        "addbmm addmm addmv addr baddbmm",
    ),
    "arrange": (
        "",
        "",
        "adjoint atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes cartesian_prod "
        "column_stack combinations diagflat dsplit dstack fliplr flipud hsplit hstack narrow_copy "
        "rot90 row_stack tensor_split vander vsplit vstack",
        "adjoint combinations diagflat dsplit fliplr flipud hsplit narrow_copy rot90 sum_to_size "
        "tensor_split vsplit",
    ),
    "batch_norm": (
        "batch_norm fixed_norm",
        "moments",
        "",
        "",
    ),
    "compare": (
        "",
        "",
        "allclose equal isclose",
        "allclose equal isclose",
    ),
    "complex": (
        "angle complex conj imag real view_as_complex view_as_real",
        "",
        "angle complex conj conj_physical imag is_conj is_neg polar real resolve_conj resolve_neg "
        "view_as_complex view_as_real",
        "angle conj conj_physical is_conj is_neg resolve_conj resolve_neg view_as_complex "
        "view_as_real",
    ),
    "conv": (
        "",
        "",
        "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
        "",
    ),
    "conv_ops": (
        "conv2d conv2d_weight conv_transpose2d",
        "",
        "",
        "",
    ),
    "costs": (
        "",
        "",
        "",
        "",
    ),
    "cross": (
        "cross",
        "",
        "cross kron",
        "cross kron",
    ),
    "ctc": (
        "ctc_gradient ctc_loss",
        "",
        "ctc_loss",
        "",
    ),
    "diagonal": (
        "diagonal diagonal_backward trace tril triu",
        "",
        "diag diag_embed diagonal trace tril triu",
        "diag diag_embed diagonal trace tril triu",
    ),
    "distances": (
        "cdist pdist",
        "",
        "cdist pdist",
        "",
    ),
    "einsum": (
        "einsum",
        "",
        "einsum tensordot",
        "",
    ),
    "embedding": (
        "embedding embedding_rows embedding_sum scale_gradient",
        "check_rows",
        "",
        "",
    ),
    "fold": (
        "fold unfold",
        "",
        "",
        "",
    ),
    "fourier": (
        "fft_c2c fft_c2r fft_r2c",
        "",
        "",
        "",
    ),
    "gather": (
        "gather scatter scatter_sum",
        "check_gathered gathered scattered",
        "gather scatter scatter_add take_along_dim",
        "gather scatter scatter_add take_along_dim",
    ),
    "index": (
        "border getitem index index_put place select slice zero",
        "taken",
        "argwhere nonzero nonzero_static",
        "argwhere nonzero nonzero_static",
    ),
    "index_along": (
        "",
        "check_along",
        "index_add index_copy index_fill index_reduce index_select",
        "index_add index_copy index_fill index_reduce index_select",
    ),
    "index_parsing": (
        "",
        "",
        "",
        "",
    ),
    "join": (
        "block_diag cat stack",
        "",
        "cat chunk concat concatenate meshgrid split split_with_sizes stack unbind unsafe_chunk "
        "unsafe_split unsafe_split_with_sizes",
        "chunk split split_with_sizes unbind unsafe_chunk unsafe_split unsafe_split_with_sizes",
    ),
    "learned": (
        "",
        "",
        "hardshrink prelu",
        "hardshrink prelu",
    ),
    "loss": (
        "log_softmax mse_loss nll_loss softmax",
        "",
        "log_softmax softmax",
        "log_softmax softmax",
    ),
    "max_pool": (
        "adaptive_max_pool2d adaptive_max_pool3d add_at_places fractional_max_pool2d "
        "fractional_max_pool3d max_pool3d max_unpool2d max_unpool3d read_at_places",
        "",
        "",
        "",
    ),
    "norm": (
        "layer_norm",
        "",
        "group_norm layer_norm rms_norm",
        "",
    ),
    "numerical": (
        "",
        "",
        "cumulative_trapezoid diff gradient trapezoid trapz",
        "diff",
    ),
    "order": (
        "cummax cummin kthvalue max median median_of_all min mode nanmedian sort topk",
        "best key_order nth row_order running_extreme",
        "aminmax argmax argmin argsort cummax cummin kthvalue max median min mode msort nanmedian "
        "sort topk",
        "aminmax argmax argmin argsort cummax cummin kthvalue max median min mode msort nanmedian "
        "sort topk",
    ),
    "parts": (
        "bitwise_left_shift bitwise_right_shift copysign gcd heaviside lcm mantissa nextafter",
        "",
        "bitwise_left_shift bitwise_right_shift copysign float_power frexp gcd heaviside lcm "
        "ldexp nextafter positive",
        "__lshift__ __rlshift__ __rrshift__ __rshift__ bitwise_left_shift bitwise_right_shift "
        "copysign float_power frexp gcd heaviside lcm ldexp nextafter positive",
    ),
    "permute": (
        "permute t transpose",
        "",
        "moveaxis movedim permute swapaxes swapdims t transpose",
        "moveaxis movedim permute swapaxes swapdims t transpose",
    ),
    "polynomials": (
        "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v "
        "chebyshev_polynomial_w hermite_polynomial_h hermite_polynomial_he laguerre_polynomial_l "
        "legendre_polynomial_p shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u "
        "shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w",
        "",
        "",
        "",
    ),
    "pool": (
        "",
        "",
        "adaptive_avg_pool1d avg_pool1d max_pool1d max_pool2d",
        "",
    ),
    "pool_ops": (
        "adaptive_avg_pool2d adaptive_spread avg_pool2d avg_spread max_pool2d pool_gather "
        "pool_place pool_scatter",
        "",
        "",
        "",
    ),
    "products": (
        "linear matmul",
        "",
        "bmm dot ger inner linear matmul mm mv outer spmm vdot",
        "bmm dot ger inner matmul mm mv outer vdot",
    ),
    "reduce": (
        "amax amin logsumexp mean prod sum",
        "spread",
        "all amax amin any count_nonzero logsumexp mean nanmean nansum prod sum",
        "all amax amin any count_nonzero logsumexp mean nanmean nansum prod sum",
    ),
    "regions": (
        "",
        "check_flat",
        "as_strided_scatter diagonal_scatter fill index_put masked_scatter masked_select put "
        "select_scatter slice_scatter take",
        "as_strided_scatter diagonal_scatter index_put masked_scatter masked_select put "
        "select_scatter slice_scatter take",
    ),
    "repeat": (
        "",
        "",
        "repeat_interleave tile",
        "repeat repeat_interleave tile",
    ),
    "roll": (
        "flip roll",
        "",
        "flip roll",
        "flip roll",
    ),
    "scan": (
        "cumprod cumsum logcumsumexp recurrence",
        "cumprod_vjp0",
        "cumprod cumsum logcumsumexp",
        "cumprod cumsum logcumsumexp",
    ),
    "scatter_reduce": (
        "scatter_reduce",
        "",
        "scatter_reduce segment_reduce",
        "scatter_reduce",
    ),
    "search": (
        "",
        "",
        "bucketize isin searchsorted unique unique_consecutive unravel_index",
        "unique unique_consecutive",
    ),
    "select": (
        "clamp_max_tensor clamp_min_tensor",
        "",
        "clamp clamp_max clamp_min clip masked_fill nan_to_num where",
        "clamp clamp_max clamp_min clip masked_fill nan_to_num where",
    ),
    "settled": (
        "",
        "",
        "",
        "",
    ),
    "shape": (
        "expand reshape squeeze unsqueeze",
        "",
        "broadcast_tensors broadcast_to flatten narrow ravel reshape select squeeze unflatten "
        "unsqueeze",
        "broadcast_to expand expand_as flatten narrow ravel reshape reshape_as select squeeze "
        "unflatten unsqueeze view view_as",
    ),
    "signatures": (
        "",
        "",
        "add addcdiv addcmul div divide lerp pow round rsub sgn sign sub subtract true_divide",
        "add addcdiv addcmul div divide lerp round sgn sign sub subtract true_divide",
    ),
    "special": (
        "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 digamma erfcx erfinv i0 i0e i1 i1e "
        "igamma igammac lgamma log_ndtr modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 "
        "modified_bessel_k1 ndtri polygamma scaled_modified_bessel_k0 scaled_modified_bessel_k1 "
        "spherical_bessel_j0 zeta",
        "",
        "digamma erfinv i0 igamma igammac lgamma logit mvlgamma polygamma",
        "digamma erfinv i0 igamma igammac lgamma logit mvlgamma polygamma",
    ),
    "statistics": (
        "",
        "",
        "bincount corrcoef cov histc histogram histogramdd nanquantile quantile",
        "bincount corrcoef cov histc histogram nanquantile quantile",
    ),
    "strided": (
        "as_strided unfold_dimension",
        "",
        "as_strided",
        "as_strided storage_offset unfold",
    ),
    "taps": (
        "tapped taps",
        "",
        "",
        "",
    ),
    "variance": (
        "std var",
        "deviations",
        "std std_mean var var_mean",
        "std var",
    ),
    "vector_norm": (
        "norm",
        "",
        "dist norm renorm",
        "dist norm renorm",
    ),
    "view_copies": (
        "",
        "",
        "alias_copy as_strided_copy detach_copy diagonal_copy expand_copy permute_copy "
        "select_copy slice_copy split_copy split_with_sizes_copy squeeze_copy t_copy "
        "transpose_copy unbind_copy unfold_copy unsqueeze_copy view_as_complex_copy "
        "view_as_real_copy view_copy",
        "",
    ),
    "volumes": (
        "adaptive_avg_pool3d adaptive_spread3d avg_pool3d avg_spread3d conv3d conv3d_weight "
        "conv_transpose3d",
        "",
        "",
        "",
    ),
    "windows": (
        "",
        "",
        "",
        "",
    ),
}
