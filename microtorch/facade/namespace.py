"""What ``microtorch.<name>`` finds, and where.

All is found when it is first named: the functions of ops/ and create/ among those that are declared
there, ``nn``, ``optim``, ``linalg`` and others by an import. Of a name that is not here
the error says whether PyTorch has it, or what it may be a misspelling of.
"""
from __future__ import annotations

import importlib
from typing import Any

from .. import create
from ..arrays import layout, memory_format
from ..base.absent import absent
from ..base.errors import unknown
from ..engine.calling import reading
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS
from . import linear_algebra
from .paths import PYTORCH

# importing them has promised their functions in FUNCTIONS
ENTERED = (create, linear_algebra)

# ops that PyTorch, too, has only in nn.functional
NN_ONLY = frozenset(
    "elu gelu gelu_tanh hardsigmoid hardswish hardtanh leaky_relu linear logsigmoid mish "
    "relu6 silu softplus softshrink softsign entr ndtr xlog1py threshold".split()
)
# methods that PyTorch has as functions, too
IN_PLACE = (
    "abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh as_strided asin asinh atan "
    "atanh ceil celu clamp clamp_max clamp_min clip conj_physical cos cosh deg2rad detach erf "
    "erfc exp exp2 expm1 fill fix floor frac gcd i0 index_put lcm ldexp log log10 log1p log2 "
    "logit nan_to_num neg negative rad2deg reciprocal relu round rsqrt selu sigmoid sin sinc sinh "
    "sqrt square tan tanh trunc xlogy zero".split()
)
METHODS_TOO = (
    *(f"{name}_" for name in IN_PLACE), "detach", "get_device", "is_distributed", "is_inference",
    "is_same_size", "is_signed",
)  # fmt: skip
FUNCTION_NAMES = {
    *(n for n in FUNCTIONS.names() if not n.startswith("_") and n not in NN_ONLY),
    *METHODS_TOO, "clone",
} - {"nuclear_norm", "ctc_loss"}  # users find linalg/older.py's, facade/functions.py's  # fmt: skip
# losses, normalisations and others that torch.<name> has with another signature than nn.functional
OTHER_SIGNATURES = (
    "batch_norm binary_cross_entropy_with_logits constant_pad_nd cosine_embedding_loss ctc_loss "
    "embedding embedding_bag hinge_embedding_loss instance_norm kl_div margin_ranking_loss "
    "native_batch_norm native_group_norm native_layer_norm norm_except_dim poisson_nll_loss "
    "triplet_margin_loss".split()
)

# imported when first used: name -> module, and the name in it ("": the module itself)
LAZY = {name: (name, "") for name in ("func", "linalg", "nn", "optim", "utils", "vision", "viz")}
LAZY |= {name: (name, "") for name in ("distributed", "distributions", "fft")}
LAZY |= {"futures": ("distributed.futures", ""), "Future": ("distributed.futures", "Future")}
LAZY |= {"sparse": ("sparse", ""), "sparse_coo_tensor": ("sparse", "sparse_coo_tensor")}
LAZY |= {"_C": ("facade.c_names", ""), "_dynamo": ("facade.dynamo", "")}
LAZY |= {"functional": ("facade.functional", "")}
LAZY |= {
    name: (f"facade.{name}", "")
    for name in (
        "accelerator compiler cuda hub library multiprocessing onnx opencl profiler random signal "
        "special testing types".split()
    )
}
LAZY |= {name: ("facade.other_devices", "") for name in ("mps", "xpu")}
LAZY |= {name: ("files", name) for name in ("load", "save")}
LAZY["summary"] = ("facade.summary", "summary")
AUTOCAST = (
    "autocast clear_autocast_cache get_autocast_cpu_dtype get_autocast_dtype "
    "get_autocast_gpu_dtype is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled "
    "set_autocast_cache_enabled set_autocast_cpu_dtype set_autocast_cpu_enabled "
    "set_autocast_dtype set_autocast_enabled".split()
)
LAZY |= {"amp": ("facade.amp", "")} | {name: ("facade.amp", name) for name in AUTOCAST}
LAZY |= {name: ("arrays.memory_format", name) for name in memory_format.NAMES}
LAZY |= {name: ("arrays.layout", name) for name in layout.NAMES}
LAZY |= {name: ("linalg.older", name) for name in linear_algebra.NAMES}
LAZY |= {name: ("facade.functions", name) for name in OTHER_SIGNATURES}
SETTINGS = (
    "are_deterministic_algorithms_enabled can_cast get_default_device get_deterministic_debug_mode "
    "get_float32_matmul_precision get_num_interop_threads get_num_threads is_complex "
    "is_deterministic_algorithms_warn_only_enabled is_floating_point is_nonzero is_storage "
    "is_tensor numel promote_types result_type set_default_device set_default_tensor_type "
    "set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal "
    "set_num_interop_threads set_num_threads typename use_deterministic_algorithms".split()
)
LAZY |= {name: ("facade.settings", name) for name in SETTINGS}
LAYERS = (
    "alpha_dropout_ convolution dropout_ feature_alpha_dropout_ feature_dropout feature_dropout_ "
    "gru_cell lstm_cell native_dropout rnn_relu_cell rnn_tanh_cell".split()
)
LAZY |= {name: ("facade.layers", name) for name in LAYERS}
# functions of nn that PyTorch has under the same signature in torch, too
IN_BOTH = (
    "affine_grid_generator alpha_dropout bilinear celu celu_ channel_shuffle "
    "conv_tbc cosine_similarity dropout feature_alpha_dropout grid_sampler hardshrink "
    "max_pool1d_with_indices max_pool3d native_channel_shuffle pairwise_distance pixel_shuffle "
    "pixel_unshuffle prelu relu_ rrelu rrelu_ selu selu_ threshold threshold_".split()
)
FUNCTION_NAMES -= {*IN_BOTH}
LAZY |= {name: ("nn.functional", name) for name in IN_BOTH}
LAZY |= {f"grid_sampler_{n}d": ("nn.functional", "grid_sampler") for n in (2, 3)}
LAZY["adaptive_max_pool1d"] = ("nn.functional", "adaptive_max_pool1d_with_indices")
LAZY |= {
    name: ("distributions.sampling", name)
    for name in "binomial poisson _dirichlet_grad _sample_dirichlet _standard_gamma "
    "_standard_gamma_grad".split()
}
LAZY |= {name: ("fft.short_time", name) for name in linear_algebra.SPECTRA}
LAZY |= {"compile": ("static", "compile"), "jit": ("facade.jit", "")}
LAZY |= {"export": ("facade.export", "")}
LAZY |= {
    "__config__": ("facade.config", ""),
    "_assert": ("facade.functions", "_assert"),
    "_assert_async": ("facade.functions", "_assert_async"),
    "_check": ("facade.functions", "_check"),
    "_check_is_size": ("facade.functions", "_check_is_size"),
    "cpu": ("facade.cpu", ""),
    "return_types": ("facade.return_types", ""),
    "quasirandom": ("create.quasirandom", ""),
    "Scalar": ("handles.scalar", "Scalar"),
    "TypedStorage": ("handles.storage", "TypedStorage"),
    "UntypedStorage": ("handles.storage", "UntypedStorage"),
    "fx": ("fx", ""),
    "GradScaler": ("facade.amp", "GradScaler"),
    "serialization": ("files", ""),
    "vmap": ("kinds.vmap", "vmap"),
    "set_printoptions": ("arrays.printing", "set_printoptions"),
    "OutOfMemoryError": ("base.errors", "OutOfMemoryError"),
    "default_generator": ("create.random", "default_generator"),
    **{name: ("autograd.anomaly", name) for name in (
        "is_anomaly_check_nan_enabled is_anomaly_enabled set_anomaly_enabled".split()
    )},
    "progress": ("utils.progress", "progress"),
}

EAGER = (
    "Generator Size Tensor __version__ autograd backends bfloat16 bool cdouble cfloat "
    "complex128 complex64 device double dtype "
    "e enable_grad finfo float float16 float32 float64 get_default_dtype half iinfo inf "
    "inference_mode int int16 int32 int64 int8 is_grad_enabled is_inference_mode_enabled long nan "
    "no_grad pi set_default_dtype set_grad_enabled short uint8 version".split()
)
# found, as the family _foreach_ is, but not listed: PyTorch does not document them
INNER = (
    "_chunk_cat _native_batch_norm_legit _unsafe_masked_index _unsafe_masked_index_put_accumulate"
).split()
ALL = sorted({*EAGER, *FUNCTION_NAMES, *(name for name in LAZY if name != "viz")})


def function(name: str) -> Any:
    """The function ``microtorch.<name>``."""
    if name in METHODS_TOO:
        return reading(getattr(Tensor, name), out=False)
    if name == "clone":
        return Tensor.clone
    found = FUNCTIONS[name]
    return reading(found) if name in ("bernoulli", "multinomial") else found


def find(name: str) -> Any:
    """The value of ``microtorch.<name>``, imported if need be.

    Raises AttributeError if there is none.
    """
    if name in FUNCTION_NAMES:
        return function(name)
    if name in INNER or name.startswith("_foreach_"):
        file = "inner" if name in INNER else "foreach"
        return getattr(importlib.import_module(f"microtorch.facade.{file}"), name)
    if name in LAZY:
        module, part = LAZY[name]
        if not part and name in PYTORCH:  # by this name, which it then speaks of
            module = name
        found = importlib.import_module(f"microtorch.{module}")
        return getattr(found, part) if part else found
    if said := absent(name):
        raise AttributeError(said)
    raise unknown("module 'torch'", name, ALL)
