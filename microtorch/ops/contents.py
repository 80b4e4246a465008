"""What each family of ops/ declares: ops, other kernels, functions and methods.

Written by scripts/contents.py.
"""
from __future__ import annotations

CONTENTS = {
    "addmm": {
        "functions": "addbmm addmm addmv addr baddbmm",
        "methods": "addbmm addmm addmv addr baddbmm",
    },
    "arrange": {
        "functions": (
            "adjoint atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes cartesian_prod "
            "column_stack combinations diagflat dsplit dstack fliplr flipud hsplit hstack "
            "narrow_copy rot90 row_stack tensor_split vander vsplit vstack"
        ),
        "methods": (
            "adjoint combinations diagflat dsplit fliplr flipud hsplit narrow_copy rot90 "
            "sum_to_size tensor_split vsplit"
        ),
    },
    "batch_norm": {
        "ops": "batch_norm fixed_norm",
        "kernels": "moments",
    },
    "compare": {
        "functions": "allclose equal isclose",
        "methods": "allclose equal isclose",
    },
    "complex": {
        "ops": "angle complex conj imag real view_as_complex view_as_real",
        "functions": (
            "angle complex conj conj_physical imag is_conj is_neg polar real resolve_conj "
            "resolve_neg view_as_complex view_as_real"
        ),
        "methods": (
            "angle conj conj_physical is_conj is_neg resolve_conj resolve_neg view_as_complex "
            "view_as_real"
        ),
    },
    "conv": {
        "functions": "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
    },
    "conv_ops": {
        "ops": "conv2d conv2d_weight conv_transpose2d",
    },
    "cross": {
        "ops": "cross",
        "functions": "cross kron",
        "methods": "cross kron",
    },
    "ctc": {
        "ops": "ctc_gradient ctc_loss",
        "functions": "ctc_loss",
    },
    "diagonal": {
        "ops": "diagonal diagonal_backward trace tril triu",
        "functions": "diag diag_embed diagonal trace tril triu",
        "methods": "diag diag_embed diagonal trace tril triu",
    },
    "distances": {
        "ops": "cdist pdist",
        "functions": "cdist pdist",
    },
    "einsum": {
        "ops": "einsum",
        "functions": "einsum tensordot",
    },
    "embedding": {
        "ops": "embedding embedding_rows embedding_sum scale_gradient",
        "kernels": "check_rows",
    },
    "fold": {
        "ops": "fold unfold",
    },
    "fourier": {
        "ops": "fft_c2c fft_c2r fft_r2c",
    },
    "gather": {
        "ops": "gather scatter scatter_sum",
        "kernels": "check_gathered gathered scatter_summed scattered summed_pairs",
        "functions": "gather scatter scatter_add take_along_dim",
        "methods": "gather scatter scatter_add take_along_dim",
    },
    "index": {
        "ops": "border getitem index index_put place select slice zero",
        "kernels": "taken",
        "functions": "argwhere nonzero nonzero_static",
        "methods": "argwhere nonzero nonzero_static",
    },
    "index_along": {
        "kernels": "added_rows check_along",
        "functions": "index_add index_copy index_fill index_reduce index_select",
        "methods": "index_add index_copy index_fill index_reduce index_select",
    },
    "join": {
        "ops": "block_diag cat stack",
        "functions": (
            "cat chunk concat concatenate meshgrid split split_with_sizes stack unbind "
            "unsafe_chunk unsafe_split unsafe_split_with_sizes"
        ),
        "methods": (
            "chunk split split_with_sizes unbind unsafe_chunk unsafe_split "
            "unsafe_split_with_sizes"
        ),
    },
    "learned": {
        "functions": "hardshrink prelu",
        "methods": "hardshrink prelu",
    },
    "loss": {
        "ops": "log_softmax mse_loss nll_loss softmax",
        "functions": "log_softmax softmax",
        "methods": "log_softmax softmax",
    },
    "max_pool": {
        "ops": (
            "adaptive_max_pool2d adaptive_max_pool3d add_at_places fractional_max_pool2d "
            "fractional_max_pool3d max_pool3d max_unpool2d max_unpool3d read_at_places"
        ),
        "kernels": "largest_of",
    },
    "norm": {
        "ops": "group_norm layer_norm",
        "functions": "group_norm layer_norm rms_norm",
    },
    "numerical": {
        "functions": "cumulative_trapezoid diff gradient trapezoid trapz",
        "methods": "diff",
    },
    "order": {
        "ops": "cummax cummin kthvalue max median median_of_all min mode nanmedian sort topk",
        "kernels": "running_extreme",
        "functions": (
            "aminmax argmax argmin argsort cummax cummin kthvalue max median min mode msort "
            "nanmedian sort topk"
        ),
        "methods": (
            "aminmax argmax argmin argsort cummax cummin kthvalue max median min mode msort "
            "nanmedian sort topk"
        ),
    },
    "parts": {
        "ops": (
            "bitwise_left_shift bitwise_right_shift copysign gcd heaviside lcm mantissa nextafter"
        ),
        "functions": (
            "bitwise_left_shift bitwise_right_shift copysign float_power frexp gcd heaviside lcm "
            "ldexp nextafter positive"
        ),
        "methods": (
            "__lshift__ __rlshift__ __rrshift__ __rshift__ bitwise_left_shift bitwise_right_shift "
            "copysign float_power frexp gcd heaviside lcm ldexp nextafter positive"
        ),
    },
    "permute": {
        "ops": "permute t transpose",
        "functions": "moveaxis movedim permute swapaxes swapdims t transpose",
        "methods": "moveaxis movedim permute swapaxes swapdims t transpose",
    },
    "polynomials": {
        "ops": (
            "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v "
            "chebyshev_polynomial_w hermite_polynomial_h hermite_polynomial_he "
            "laguerre_polynomial_l legendre_polynomial_p shifted_chebyshev_polynomial_t "
            "shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v "
            "shifted_chebyshev_polynomial_w"
        ),
    },
    "pool": {
        "functions": "adaptive_avg_pool1d avg_pool1d max_pool1d max_pool2d",
    },
    "pool_ops": {
        "ops": (
            "adaptive_avg_pool2d adaptive_spread avg_pool2d avg_spread max_pool2d pool_gather "
            "pool_place pool_scatter"
        ),
    },
    "products": {
        "ops": "linear matmul",
        "functions": "bmm dot ger inner linear matmul mm mv outer spmm vdot",
        "methods": "bmm dot ger inner matmul mm mv outer vdot",
    },
    "reduce": {
        "ops": "amax amin logsumexp mean prod sum",
        "kernels": "spread",
        "functions": "all amax amin any count_nonzero logsumexp mean nanmean nansum prod sum",
        "methods": "all amax amin any count_nonzero logsumexp mean nanmean nansum prod sum",
    },
    "regions": {
        "kernels": "check_flat",
        "functions": (
            "as_strided_scatter diagonal_scatter fill index_put masked_scatter masked_select put "
            "select_scatter slice_scatter take"
        ),
        "methods": (
            "as_strided_scatter diagonal_scatter index_put masked_scatter masked_select put "
            "select_scatter slice_scatter take"
        ),
    },
    "repeat": {
        "functions": "repeat_interleave tile",
        "methods": "repeat repeat_interleave tile",
    },
    "roll": {
        "ops": "flip roll",
        "functions": "flip roll",
        "methods": "flip roll",
    },
    "row_order": {
        "kernels": "best key_order nth row_order",
    },
    "scan": {
        "ops": "cumprod cumsum logcumsumexp recurrence",
        "kernels": "cumprod_vjp0 logcumsumexp_in_segments",
        "functions": "cumprod cumsum logcumsumexp",
        "methods": "cumprod cumsum logcumsumexp",
    },
    "scatter_reduce": {
        "ops": "scatter_reduce",
        "functions": "scatter_reduce segment_reduce",
        "methods": "scatter_reduce",
    },
    "search": {
        "kernels": "member searched",
        "functions": "bucketize isin searchsorted unique unique_consecutive unravel_index",
        "methods": "unique unique_consecutive",
    },
    "select": {
        "ops": "clamp_max_tensor clamp_min_tensor",
        "functions": "clamp clamp_max clamp_min clip masked_fill nan_to_num where",
        "methods": "clamp clamp_max clamp_min clip masked_fill nan_to_num where",
    },
    "shape": {
        "ops": "expand reshape squeeze unsqueeze",
        "functions": (
            "broadcast_tensors broadcast_to flatten narrow ravel reshape select squeeze unflatten "
            "unsqueeze"
        ),
        "methods": (
            "broadcast_to expand expand_as flatten narrow ravel reshape reshape_as select squeeze "
            "unflatten unsqueeze view view_as"
        ),
    },
    "signatures": {
        "functions": (
            "add addcdiv addcmul div divide lerp pow round rsub sgn sign sub subtract true_divide"
        ),
        "methods": "add addcdiv addcmul div divide lerp round sgn sign sub subtract true_divide",
    },
    "special": {
        "ops": (
            "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 digamma erfcx erfinv i0 i0e i1 i1e "
            "igamma igammac lgamma log_ndtr modified_bessel_i0 modified_bessel_i1 "
            "modified_bessel_k0 modified_bessel_k1 ndtri polygamma scaled_modified_bessel_k0 "
            "scaled_modified_bessel_k1 spherical_bessel_j0 zeta"
        ),
        "functions": "digamma erfinv i0 igamma igammac lgamma logit mvlgamma polygamma",
        "methods": "digamma erfinv i0 igamma igammac lgamma logit mvlgamma polygamma",
    },
    "statistics": {
        "functions": "bincount corrcoef cov histc histogram histogramdd nanquantile quantile",
        "methods": "bincount corrcoef cov histc histogram nanquantile quantile",
    },
    "strided": {
        "ops": "as_strided unfold_dimension",
        "functions": "as_strided",
        "methods": "as_strided storage_offset unfold",
    },
    "taps": {
        "ops": "tapped taps",
    },
    "variance": {
        "ops": "std var",
        "kernels": "deviations",
        "functions": "std std_mean var var_mean",
        "methods": "std var",
    },
    "vector_norm": {
        "ops": "norm",
        "functions": "dist norm renorm",
        "methods": "dist norm renorm",
    },
    "view_copies": {
        "functions": (
            "alias_copy as_strided_copy detach_copy diagonal_copy expand_copy permute_copy "
            "select_copy slice_copy split_copy split_with_sizes_copy squeeze_copy t_copy "
            "transpose_copy unbind_copy unfold_copy unsqueeze_copy view_as_complex_copy "
            "view_as_real_copy view_copy"
        ),
    },
    "volumes": {
        "ops": (
            "adaptive_avg_pool3d adaptive_spread3d avg_pool3d avg_spread3d conv3d conv3d_weight "
            "conv_transpose3d"
        ),
    },
}
