"""What each family of handles/ declares: ops, other kernels, functions and methods.

Written by scripts/contents.py.
"""
from __future__ import annotations

CONTENTS = {
    "attributes": {
        "bound": (
            "_make_subclass apply_ as_subclass coalesce dim_order fill_diagonal_ get_device "
            "indices is_coalesced is_cpu is_distributed is_ipu is_maia is_meta is_mkldnn is_mps "
            "is_mtia is_nested is_nonzero is_pinned is_quantized is_same_size is_set_to is_signed "
            "is_sparse is_sparse_csr is_vulkan is_xla is_xpu layout map2_ map_ pin_memory "
            "to_dense values"
        ),
    },
    "conversions": {
        "bound": (
            "bfloat16 bool byte cdouble cfloat char clone contiguous cpu cuda double float half "
            "int item long numpy short to tolist type type_as"
        ),
    },
    "inplace": {
        "ops": "copy",
    },
    "metadata": {
        "functions": "resize_as_",
        "bound": (
            "as_strided_ resize resize_ resize_as resize_as_ set_ squeeze_ swapaxes_ swapdims_ t_ "
            "transpose_ unsqueeze_"
        ),
    },
    "put": {
        "functions": "fill_ zero_",
        "bound": "__setitem__",
    },
    "twins": {
        "bound": (
            "__iadd__ __iand__ __ifloordiv__ __ilshift__ __imod__ __imul__ __ior__ __ipow__ "
            "__irshift__ __isub__ __itruediv__ __ixor__ absolute_ addbmm_ addmm_ addmv_ addr_ "
            "arccos_ arccosh_ arcsin_ arcsinh_ arctan2_ arctan_ arctanh_ baddbmm_ bitwise_and_ "
            "bitwise_left_shift_ bitwise_not_ bitwise_or_ bitwise_right_shift_ bitwise_xor_ clip_ "
            "conj_physical_ copy_ copysign_ cumprod_ cumsum_ digamma_ divide_ eq_ erfinv_ fill_ "
            "fix_ float_power_ floor_divide_ gcd_ ge_ greater_ greater_equal_ gt_ heaviside_ i0_ "
            "igamma_ igammac_ index_add_ index_copy_ index_fill_ index_put_ index_reduce_ lcm_ "
            "ldexp_ le_ less_ less_equal_ lgamma_ logical_and_ logical_not_ logical_or_ "
            "logical_xor_ lt_ masked_fill_ masked_scatter_ multiply_ mvlgamma_ ne_ negative_ "
            "nextafter_ not_equal_ polygamma_ put_ renorm_ scatter_ scatter_add_ scatter_reduce_ "
            "subtract_ tril_ triu_ true_divide_ zero_"
        ),
    },
    "views": {
        "ops": "copy_slices",
    },
}
