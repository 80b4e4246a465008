"""The names of the package, as editors and type checkers see them.

Written by scripts/stubs.py.
"""

import builtins
from collections.abc import Sequence
from typing import Any

from microtorch import autograd as autograd
from microtorch import backends as backends
from microtorch import distributed as distributed
from microtorch import distributions as distributions
from microtorch import fft as fft
from microtorch import files
from microtorch import func as func
from microtorch import fx as fx
from microtorch import linalg as linalg
from microtorch import nn as nn
from microtorch import optim as optim
from microtorch import sparse as sparse
from microtorch import utils as utils
from microtorch import version as version
from microtorch import vision as vision
from microtorch import viz as viz
from microtorch.arrays.device import device as device
from microtorch.arrays.dtypes import dtype as dtype
from microtorch.arrays.dtypes import finfo as finfo
from microtorch.arrays.dtypes import get_default_dtype as get_default_dtype
from microtorch.arrays.dtypes import iinfo as iinfo
from microtorch.arrays.dtypes import set_default_dtype as set_default_dtype
from microtorch.arrays.layout import layout as layout
from microtorch.arrays.layout import sparse_bsc as sparse_bsc
from microtorch.arrays.layout import sparse_bsr as sparse_bsr
from microtorch.arrays.layout import sparse_coo as sparse_coo
from microtorch.arrays.layout import sparse_csc as sparse_csc
from microtorch.arrays.layout import sparse_csr as sparse_csr
from microtorch.arrays.layout import strided as strided
from microtorch.arrays.memory_format import channels_last as channels_last
from microtorch.arrays.memory_format import channels_last_3d as channels_last_3d
from microtorch.arrays.memory_format import contiguous_format as contiguous_format
from microtorch.arrays.memory_format import memory_format as memory_format
from microtorch.arrays.memory_format import preserve_format as preserve_format
from microtorch.arrays.printing import set_printoptions as set_printoptions
from microtorch.autograd.anomaly import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from microtorch.autograd.anomaly import is_anomaly_enabled as is_anomaly_enabled
from microtorch.autograd.anomaly import set_anomaly_enabled as set_anomaly_enabled
from microtorch.autograd.grad_mode import enable_grad as enable_grad
from microtorch.autograd.grad_mode import inference_mode as inference_mode
from microtorch.autograd.grad_mode import is_grad_enabled as is_grad_enabled
from microtorch.autograd.grad_mode import is_inference_mode_enabled as is_inference_mode_enabled
from microtorch.autograd.grad_mode import no_grad as no_grad
from microtorch.autograd.grad_mode import set_grad_enabled as set_grad_enabled
from microtorch.base.errors import OutOfMemoryError as OutOfMemoryError
from microtorch.base.types import (
    AnyNumber,
    Argument,
    DeviceLike,
    Dims,
    DTypeLike,
    Number,
    Setting,
    TensorLike,
)
from microtorch.create import quasirandom as quasirandom
from microtorch.create.counted import arange as arange
from microtorch.create.counted import linspace as linspace
from microtorch.create.counted import logspace as logspace
from microtorch.create.data import as_tensor as as_tensor
from microtorch.create.data import asarray as asarray
from microtorch.create.data import from_numpy as from_numpy
from microtorch.create.data import tensor as tensor
from microtorch.create.exchange import from_dlpack as from_dlpack
from microtorch.create.exchange import from_file as from_file
from microtorch.create.exchange import frombuffer as frombuffer
from microtorch.create.exchange import to_dlpack as to_dlpack
from microtorch.create.filled import eye as eye
from microtorch.create.filled import full as full
from microtorch.create.filled import full_like as full_like
from microtorch.create.filled import tril_indices as tril_indices
from microtorch.create.filled import triu_indices as triu_indices
from microtorch.create.legacy import LegacyType
from microtorch.create.random import Generator as Generator
from microtorch.create.random import bernoulli as bernoulli
from microtorch.create.random import default_generator as default_generator
from microtorch.create.random import get_rng_state as get_rng_state
from microtorch.create.random import initial_seed as initial_seed
from microtorch.create.random import manual_seed as manual_seed
from microtorch.create.random import multinomial as multinomial
from microtorch.create.random import normal as normal
from microtorch.create.random import randint as randint
from microtorch.create.random import randint_like as randint_like
from microtorch.create.random import randperm as randperm
from microtorch.create.random import seed as seed
from microtorch.create.random import set_rng_state as set_rng_state
from microtorch.create.strided import empty_permuted as empty_permuted
from microtorch.create.strided import empty_strided as empty_strided
from microtorch.create.strided import range as range
from microtorch.create.strided import scalar_tensor as scalar_tensor
from microtorch.create.windows import bartlett_window as bartlett_window
from microtorch.create.windows import blackman_window as blackman_window
from microtorch.create.windows import hamming_window as hamming_window
from microtorch.create.windows import hann_window as hann_window
from microtorch.create.windows import kaiser_window as kaiser_window
from microtorch.distributed import futures as futures
from microtorch.distributed.futures import Future as Future
from microtorch.distributions.sampling import _dirichlet_grad as _dirichlet_grad
from microtorch.distributions.sampling import _sample_dirichlet as _sample_dirichlet
from microtorch.distributions.sampling import _standard_gamma as _standard_gamma
from microtorch.distributions.sampling import _standard_gamma_grad as _standard_gamma_grad
from microtorch.distributions.sampling import binomial as binomial
from microtorch.distributions.sampling import poisson as poisson
from microtorch.facade import accelerator as accelerator
from microtorch.facade import amp as amp
from microtorch.facade import c_names, config, dynamo, other_devices
from microtorch.facade import compiler as compiler
from microtorch.facade import cpu as cpu
from microtorch.facade import cuda as cuda
from microtorch.facade import export as export
from microtorch.facade import functional as functional
from microtorch.facade import hub as hub
from microtorch.facade import jit as jit
from microtorch.facade import library as library
from microtorch.facade import multiprocessing as multiprocessing
from microtorch.facade import onnx as onnx
from microtorch.facade import opencl as opencl
from microtorch.facade import profiler as profiler
from microtorch.facade import random as random
from microtorch.facade import return_types as return_types
from microtorch.facade import signal as signal
from microtorch.facade import special as special
from microtorch.facade import testing as testing
from microtorch.facade import types as types
from microtorch.facade.amp import GradScaler as GradScaler
from microtorch.facade.amp import autocast as autocast
from microtorch.facade.amp import clear_autocast_cache as clear_autocast_cache
from microtorch.facade.amp import get_autocast_cpu_dtype as get_autocast_cpu_dtype
from microtorch.facade.amp import get_autocast_dtype as get_autocast_dtype
from microtorch.facade.amp import get_autocast_gpu_dtype as get_autocast_gpu_dtype
from microtorch.facade.amp import is_autocast_cache_enabled as is_autocast_cache_enabled
from microtorch.facade.amp import is_autocast_cpu_enabled as is_autocast_cpu_enabled
from microtorch.facade.amp import is_autocast_enabled as is_autocast_enabled
from microtorch.facade.amp import set_autocast_cache_enabled as set_autocast_cache_enabled
from microtorch.facade.amp import set_autocast_cpu_dtype as set_autocast_cpu_dtype
from microtorch.facade.amp import set_autocast_cpu_enabled as set_autocast_cpu_enabled
from microtorch.facade.amp import set_autocast_dtype as set_autocast_dtype
from microtorch.facade.amp import set_autocast_enabled as set_autocast_enabled
from microtorch.facade.functions import _assert as _assert
from microtorch.facade.functions import _assert_async as _assert_async
from microtorch.facade.functions import _check as _check
from microtorch.facade.functions import _check_is_size as _check_is_size
from microtorch.facade.functions import batch_norm as batch_norm
from microtorch.facade.functions import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from microtorch.facade.functions import constant_pad_nd as constant_pad_nd
from microtorch.facade.functions import cosine_embedding_loss as cosine_embedding_loss
from microtorch.facade.functions import ctc_loss as ctc_loss
from microtorch.facade.functions import embedding as embedding
from microtorch.facade.functions import embedding_bag as embedding_bag
from microtorch.facade.functions import hinge_embedding_loss as hinge_embedding_loss
from microtorch.facade.functions import instance_norm as instance_norm
from microtorch.facade.functions import kl_div as kl_div
from microtorch.facade.functions import margin_ranking_loss as margin_ranking_loss
from microtorch.facade.functions import native_batch_norm as native_batch_norm
from microtorch.facade.functions import native_group_norm as native_group_norm
from microtorch.facade.functions import native_layer_norm as native_layer_norm
from microtorch.facade.functions import norm_except_dim as norm_except_dim
from microtorch.facade.functions import poisson_nll_loss as poisson_nll_loss
from microtorch.facade.functions import triplet_margin_loss as triplet_margin_loss
from microtorch.facade.layers import alpha_dropout_ as alpha_dropout_
from microtorch.facade.layers import convolution as convolution
from microtorch.facade.layers import dropout_ as dropout_
from microtorch.facade.layers import feature_alpha_dropout_ as feature_alpha_dropout_
from microtorch.facade.layers import feature_dropout as feature_dropout
from microtorch.facade.layers import feature_dropout_ as feature_dropout_
from microtorch.facade.layers import gru_cell as gru_cell
from microtorch.facade.layers import lstm_cell as lstm_cell
from microtorch.facade.layers import native_dropout as native_dropout
from microtorch.facade.layers import rnn_relu_cell as rnn_relu_cell
from microtorch.facade.layers import rnn_tanh_cell as rnn_tanh_cell
from microtorch.facade.settings import (
    are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled,
)
from microtorch.facade.settings import can_cast as can_cast
from microtorch.facade.settings import get_default_device as get_default_device
from microtorch.facade.settings import get_deterministic_debug_mode as get_deterministic_debug_mode
from microtorch.facade.settings import get_float32_matmul_precision as get_float32_matmul_precision
from microtorch.facade.settings import get_num_interop_threads as get_num_interop_threads
from microtorch.facade.settings import get_num_threads as get_num_threads
from microtorch.facade.settings import is_complex as is_complex
from microtorch.facade.settings import (
    is_deterministic_algorithms_warn_only_enabled as is_deterministic_algorithms_warn_only_enabled,
)
from microtorch.facade.settings import is_floating_point as is_floating_point
from microtorch.facade.settings import is_nonzero as is_nonzero
from microtorch.facade.settings import is_storage as is_storage
from microtorch.facade.settings import is_tensor as is_tensor
from microtorch.facade.settings import numel as numel
from microtorch.facade.settings import promote_types as promote_types
from microtorch.facade.settings import result_type as result_type
from microtorch.facade.settings import set_default_device as set_default_device
from microtorch.facade.settings import set_default_tensor_type as set_default_tensor_type
from microtorch.facade.settings import set_deterministic_debug_mode as set_deterministic_debug_mode
from microtorch.facade.settings import set_float32_matmul_precision as set_float32_matmul_precision
from microtorch.facade.settings import set_flush_denormal as set_flush_denormal
from microtorch.facade.settings import set_num_interop_threads as set_num_interop_threads
from microtorch.facade.settings import set_num_threads as set_num_threads
from microtorch.facade.settings import typename as typename
from microtorch.facade.settings import use_deterministic_algorithms as use_deterministic_algorithms
from microtorch.facade.summary import summary as summary
from microtorch.fft.short_time import istft as istft
from microtorch.fft.short_time import stft as stft
from microtorch.files import load as load
from microtorch.files import save as save
from microtorch.handles.attributes import get_device as get_device
from microtorch.handles.attributes import is_distributed as is_distributed
from microtorch.handles.attributes import is_same_size as is_same_size
from microtorch.handles.attributes import is_signed as is_signed
from microtorch.handles.conversions import clone as clone
from microtorch.handles.metadata import resize_as_ as resize_as_
from microtorch.handles.put import fill_ as fill_
from microtorch.handles.put import zero_ as zero_
from microtorch.handles.scalar import Scalar as Scalar
from microtorch.handles.size import Size as Size
from microtorch.handles.storage import TypedStorage as TypedStorage
from microtorch.handles.storage import UntypedStorage as UntypedStorage
from microtorch.handles.tensor import Tensor as Tensor
from microtorch.kinds.vmap import vmap as vmap
from microtorch.linalg.older import chain_matmul as chain_matmul
from microtorch.linalg.older import cholesky as cholesky
from microtorch.linalg.older import cholesky_inverse as cholesky_inverse
from microtorch.linalg.older import cholesky_solve as cholesky_solve
from microtorch.linalg.older import det as det
from microtorch.linalg.older import frobenius_norm as frobenius_norm
from microtorch.linalg.older import geqrf as geqrf
from microtorch.linalg.older import inverse as inverse
from microtorch.linalg.older import lobpcg as lobpcg
from microtorch.linalg.older import logdet as logdet
from microtorch.linalg.older import lu as lu
from microtorch.linalg.older import lu_solve as lu_solve
from microtorch.linalg.older import lu_unpack as lu_unpack
from microtorch.linalg.older import matrix_exp as matrix_exp
from microtorch.linalg.older import matrix_power as matrix_power
from microtorch.linalg.older import nuclear_norm as nuclear_norm
from microtorch.linalg.older import orgqr as orgqr
from microtorch.linalg.older import ormqr as ormqr
from microtorch.linalg.older import pca_lowrank as pca_lowrank
from microtorch.linalg.older import pinverse as pinverse
from microtorch.linalg.older import qr as qr
from microtorch.linalg.older import slogdet as slogdet
from microtorch.linalg.older import svd as svd
from microtorch.linalg.older import svd_lowrank as svd_lowrank
from microtorch.linalg.older import triangular_solve as triangular_solve
from microtorch.nn.functional import adaptive_max_pool1d_with_indices
from microtorch.nn.functional import affine_grid_generator as affine_grid_generator
from microtorch.nn.functional import alpha_dropout as alpha_dropout
from microtorch.nn.functional import bilinear as bilinear
from microtorch.nn.functional import celu as celu
from microtorch.nn.functional import celu_ as celu_
from microtorch.nn.functional import channel_shuffle as channel_shuffle
from microtorch.nn.functional import conv_tbc as conv_tbc
from microtorch.nn.functional import cosine_similarity as cosine_similarity
from microtorch.nn.functional import dropout as dropout
from microtorch.nn.functional import feature_alpha_dropout as feature_alpha_dropout
from microtorch.nn.functional import grid_sampler as grid_sampler
from microtorch.nn.functional import hardshrink as hardshrink
from microtorch.nn.functional import max_pool1d_with_indices as max_pool1d_with_indices
from microtorch.nn.functional import max_pool3d as max_pool3d
from microtorch.nn.functional import native_channel_shuffle as native_channel_shuffle
from microtorch.nn.functional import pairwise_distance as pairwise_distance
from microtorch.nn.functional import pixel_shuffle as pixel_shuffle
from microtorch.nn.functional import pixel_unshuffle as pixel_unshuffle
from microtorch.nn.functional import prelu as prelu
from microtorch.nn.functional import relu_ as relu_
from microtorch.nn.functional import rrelu as rrelu
from microtorch.nn.functional import rrelu_ as rrelu_
from microtorch.nn.functional import selu as selu
from microtorch.nn.functional import selu_ as selu_
from microtorch.nn.functional import threshold as threshold
from microtorch.nn.functional import threshold_ as threshold_
from microtorch.ops.addmm import addbmm as addbmm
from microtorch.ops.addmm import addmm as addmm
from microtorch.ops.addmm import addmv as addmv
from microtorch.ops.addmm import addr as addr
from microtorch.ops.addmm import baddbmm as baddbmm
from microtorch.ops.arrange import adjoint as adjoint
from microtorch.ops.arrange import atleast_1d as atleast_1d
from microtorch.ops.arrange import atleast_2d as atleast_2d
from microtorch.ops.arrange import atleast_3d as atleast_3d
from microtorch.ops.arrange import block_diag as block_diag
from microtorch.ops.arrange import broadcast_shapes as broadcast_shapes
from microtorch.ops.arrange import cartesian_prod as cartesian_prod
from microtorch.ops.arrange import column_stack as column_stack
from microtorch.ops.arrange import combinations as combinations
from microtorch.ops.arrange import diagflat as diagflat
from microtorch.ops.arrange import dsplit as dsplit
from microtorch.ops.arrange import dstack as dstack
from microtorch.ops.arrange import fliplr as fliplr
from microtorch.ops.arrange import flipud as flipud
from microtorch.ops.arrange import hsplit as hsplit
from microtorch.ops.arrange import hstack as hstack
from microtorch.ops.arrange import rot90 as rot90
from microtorch.ops.arrange import vander as vander
from microtorch.ops.arrange import vsplit as vsplit
from microtorch.ops.arrange import vstack as vstack
from microtorch.ops.compare import allclose as allclose
from microtorch.ops.compare import equal as equal
from microtorch.ops.compare import isclose as isclose
from microtorch.ops.complex import angle as angle
from microtorch.ops.complex import complex as complex
from microtorch.ops.complex import conj as conj
from microtorch.ops.complex import conj_physical as conj_physical
from microtorch.ops.complex import imag as imag
from microtorch.ops.complex import is_conj as is_conj
from microtorch.ops.complex import polar as polar
from microtorch.ops.complex import real as real
from microtorch.ops.complex import resolve_conj as resolve_conj
from microtorch.ops.complex import view_as_complex as view_as_complex
from microtorch.ops.complex import view_as_real as view_as_real
from microtorch.ops.conv import conv1d as conv1d
from microtorch.ops.conv import conv2d as conv2d
from microtorch.ops.conv import conv3d as conv3d
from microtorch.ops.conv import conv_transpose1d as conv_transpose1d
from microtorch.ops.conv import conv_transpose2d as conv_transpose2d
from microtorch.ops.conv import conv_transpose3d as conv_transpose3d
from microtorch.ops.cross import kron as kron
from microtorch.ops.diagonal import diag as diag
from microtorch.ops.diagonal import diag_embed as diag_embed
from microtorch.ops.diagonal import diagonal as diagonal
from microtorch.ops.diagonal import trace as trace
from microtorch.ops.distances import cdist as cdist
from microtorch.ops.distances import pdist as pdist
from microtorch.ops.einsum import einsum as einsum
from microtorch.ops.einsum import tensordot as tensordot
from microtorch.ops.index import argwhere as argwhere
from microtorch.ops.index import nonzero as nonzero
from microtorch.ops.index import nonzero_static as nonzero_static
from microtorch.ops.join import meshgrid as meshgrid
from microtorch.ops.norm import group_norm as group_norm
from microtorch.ops.norm import layer_norm as layer_norm
from microtorch.ops.norm import rms_norm as rms_norm
from microtorch.ops.numerical import cumulative_trapezoid as cumulative_trapezoid
from microtorch.ops.numerical import gradient as gradient
from microtorch.ops.numerical import trapezoid as trapezoid
from microtorch.ops.order import Picked
from microtorch.ops.order import aminmax as aminmax
from microtorch.ops.order import msort as msort
from microtorch.ops.parts import float_power as float_power
from microtorch.ops.parts import frexp as frexp
from microtorch.ops.parts import ldexp as ldexp
from microtorch.ops.parts import positive as positive
from microtorch.ops.permute import movedim as movedim
from microtorch.ops.permute import swapaxes as swapaxes
from microtorch.ops.permute import t as t
from microtorch.ops.permute import transpose as transpose
from microtorch.ops.pool import adaptive_avg_pool1d as adaptive_avg_pool1d
from microtorch.ops.pool import avg_pool1d as avg_pool1d
from microtorch.ops.pool import max_pool1d as max_pool1d
from microtorch.ops.pool import max_pool2d as max_pool2d
from microtorch.ops.products import dot as dot
from microtorch.ops.products import inner as inner
from microtorch.ops.products import outer as outer
from microtorch.ops.products import vdot as vdot
from microtorch.ops.regions import as_strided_scatter as as_strided_scatter
from microtorch.ops.regions import diagonal_scatter as diagonal_scatter
from microtorch.ops.regions import fill as fill
from microtorch.ops.regions import index_put as index_put
from microtorch.ops.regions import masked_scatter as masked_scatter
from microtorch.ops.regions import masked_select as masked_select
from microtorch.ops.regions import put as put
from microtorch.ops.regions import take as take
from microtorch.ops.repeat import tile as tile
from microtorch.ops.roll import roll as roll
from microtorch.ops.scatter_reduce import segment_reduce as segment_reduce
from microtorch.ops.search import bucketize as bucketize
from microtorch.ops.search import isin as isin
from microtorch.ops.search import searchsorted as searchsorted
from microtorch.ops.search import unravel_index as unravel_index
from microtorch.ops.select import clamp as clamp
from microtorch.ops.select import clamp_max as clamp_max
from microtorch.ops.select import clamp_min as clamp_min
from microtorch.ops.select import masked_fill as masked_fill
from microtorch.ops.select import nan_to_num as nan_to_num
from microtorch.ops.select import where as where
from microtorch.ops.shape import broadcast_tensors as broadcast_tensors
from microtorch.ops.shape import flatten as flatten
from microtorch.ops.shape import ravel as ravel
from microtorch.ops.signatures import add as add
from microtorch.ops.signatures import addcdiv as addcdiv
from microtorch.ops.signatures import addcmul as addcmul
from microtorch.ops.signatures import div as div
from microtorch.ops.signatures import lerp as lerp
from microtorch.ops.signatures import pow as pow
from microtorch.ops.signatures import round as round
from microtorch.ops.signatures import rsub as rsub
from microtorch.ops.signatures import sgn as sgn
from microtorch.ops.signatures import sign as sign
from microtorch.ops.signatures import sub as sub
from microtorch.ops.special import logit as logit
from microtorch.ops.special import mvlgamma as mvlgamma
from microtorch.ops.special import polygamma as polygamma
from microtorch.ops.statistics import bincount as bincount
from microtorch.ops.statistics import corrcoef as corrcoef
from microtorch.ops.statistics import cov as cov
from microtorch.ops.statistics import histc as histc
from microtorch.ops.statistics import histogram as histogram
from microtorch.ops.statistics import histogramdd as histogramdd
from microtorch.ops.strided import as_strided as as_strided
from microtorch.ops.vector_norm import dist as dist
from microtorch.sparse import sparse_coo_tensor as sparse_coo_tensor
from microtorch.static import compile as compile
from microtorch.utils.progress import progress as progress
from microtorch.version import __version__ as __version__

_C = c_names
_dynamo = dynamo
mps = other_devices
xpu = other_devices
grid_sampler_2d = grid_sampler
grid_sampler_3d = grid_sampler
adaptive_max_pool1d = adaptive_max_pool1d_with_indices
__config__ = config
serialization = files
BFloat16Tensor: LegacyType
BoolTensor: LegacyType
ByteTensor: LegacyType
CharTensor: LegacyType
DoubleTensor: LegacyType
FloatTensor: LegacyType
HalfTensor: LegacyType
IntTensor: LegacyType
LongTensor: LegacyType
ShortTensor: LegacyType
def abs(input: TensorLike) -> Tensor: ...
def abs_(input: Tensor, *others: Any, **attrs: Any) -> Tensor: ...
def absolute(input: TensorLike) -> Tensor: ...
def acos(input: TensorLike) -> Tensor: ...
def acos_(input: TensorLike) -> Tensor: ...
def acosh(input: TensorLike) -> Tensor: ...
def acosh_(input: TensorLike) -> Tensor: ...
def addmv_(
    input: Tensor, mat: Tensor, vec: Tensor, *old: Tensor, beta: AnyNumber = 1,
    alpha: AnyNumber = 1
) -> Tensor: ...
def alias_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def all(
    input: Tensor, dim: Dims = None, keepdim: builtins.bool = False, *, axis: Dims = None,
    keepdims: builtins.bool = False
) -> Tensor: ...
def amax(
    input: Tensor, dim: Dims = (), keepdim: builtins.bool = False, *, axis: Dims = (),
    keepdims: builtins.bool = False
) -> Tensor: ...
def amin(
    input: Tensor, dim: Dims = (), keepdim: builtins.bool = False, *, axis: Dims = (),
    keepdims: builtins.bool = False
) -> Tensor: ...
def any(
    input: Tensor, dim: Dims = None, keepdim: builtins.bool = False, *, axis: Dims = None,
    keepdims: builtins.bool = False
) -> Tensor: ...
def arccos(input: TensorLike) -> Tensor: ...
def arccos_(input: TensorLike) -> Tensor: ...
def arccosh(input: TensorLike) -> Tensor: ...
def arccosh_(input: TensorLike) -> Tensor: ...
def arcsin(input: TensorLike) -> Tensor: ...
def arcsin_(input: TensorLike) -> Tensor: ...
def arcsinh(input: TensorLike) -> Tensor: ...
def arcsinh_(input: TensorLike) -> Tensor: ...
def arctan(input: TensorLike) -> Tensor: ...
def arctan2(input: TensorLike, other: TensorLike) -> Tensor: ...
def arctan_(input: TensorLike) -> Tensor: ...
def arctanh(input: TensorLike) -> Tensor: ...
def arctanh_(input: TensorLike) -> Tensor: ...
def argmax(
    input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False, *,
    axis: builtins.int | None = None, keepdims: builtins.bool = False
) -> Tensor: ...
def argmin(
    input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False, *,
    axis: builtins.int | None = None, keepdims: builtins.bool = False
) -> Tensor: ...
def argsort(
    input: Tensor, dim: builtins.int = -1, descending: builtins.bool = False,
    stable: builtins.bool = False, *, axis: builtins.int = -1
) -> Tensor: ...
def as_strided_(
    input: Tensor, size: Sequence[builtins.int], stride: Sequence[builtins.int],
    storage_offset: builtins.int | None = None
) -> Tensor: ...
def as_strided_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def asin(input: TensorLike) -> Tensor: ...
def asin_(input: TensorLike) -> Tensor: ...
def asinh(input: TensorLike) -> Tensor: ...
def asinh_(input: TensorLike) -> Tensor: ...
def atan(input: TensorLike) -> Tensor: ...
def atan2(input: TensorLike, other: TensorLike) -> Tensor: ...
def atan_(input: TensorLike) -> Tensor: ...
def atanh(input: TensorLike) -> Tensor: ...
def atanh_(input: TensorLike) -> Tensor: ...
bfloat16: dtype
def bitwise_and(input: TensorLike, other: TensorLike) -> Tensor: ...
def bitwise_left_shift(input: TensorLike, other: TensorLike) -> Tensor: ...
def bitwise_not(input: TensorLike) -> Tensor: ...
def bitwise_or(input: TensorLike, other: TensorLike) -> Tensor: ...
def bitwise_right_shift(input: TensorLike, other: TensorLike) -> Tensor: ...
def bitwise_xor(input: TensorLike, other: TensorLike) -> Tensor: ...
def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor: ...
bool: dtype
def broadcast_to(input: Tensor, size: Sequence[builtins.int]) -> Tensor: ...
def cat(tensors: Sequence[Tensor], dim: builtins.int = 0, *, axis: builtins.int = 0) -> Tensor: ...
cdouble: dtype
def ceil(input: TensorLike) -> Tensor: ...
def ceil_(input: TensorLike) -> Tensor: ...
cfloat: dtype
def chunk(
    input: Tensor, chunks: builtins.int, dim: builtins.int = 0, *, axis: builtins.int = 0
) -> tuple[Tensor, ...]: ...
def clamp_(
    input: Tensor, min: TensorLike | None = None, max: TensorLike | None = None
) -> Tensor: ...
def clamp_max_(input: Tensor, max: TensorLike) -> Tensor: ...
def clamp_min_(input: Tensor, min: TensorLike) -> Tensor: ...
def clip(input: Tensor, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor: ...
def clip_(
    input: Tensor, min: TensorLike | None = None, max: TensorLike | None = None
) -> Tensor: ...
complex128: dtype
complex64: dtype
def concat(
    tensors: Sequence[Tensor], dim: builtins.int = 0, *, axis: builtins.int = 0
) -> Tensor: ...
def concatenate(
    tensors: Sequence[Tensor], dim: builtins.int = 0, *, axis: builtins.int = 0
) -> Tensor: ...
def conj_physical_(input: Tensor) -> Tensor: ...
def copysign(input: TensorLike, other: TensorLike) -> Tensor: ...
def cos(input: TensorLike) -> Tensor: ...
def cos_(input: TensorLike) -> Tensor: ...
def cosh(input: TensorLike) -> Tensor: ...
def cosh_(input: TensorLike) -> Tensor: ...
def count_nonzero(input: Tensor, dim: Dims = None, *, axis: Dims = None) -> Tensor: ...
def cross(
    input: Tensor, other: Tensor, dim: builtins.int | None = None, *,
    axis: builtins.int | None = None
) -> Tensor: ...
def cummax(input: Tensor, dim: builtins.int = ..., *, axis: builtins.int = ...) -> Picked: ...
def cummin(input: Tensor, dim: builtins.int = ..., *, axis: builtins.int = ...) -> Picked: ...
def cumprod(
    input: Tensor, dim: builtins.int = ..., *, dtype: DTypeLike | None = None,
    axis: builtins.int = ...
) -> Tensor: ...
def cumsum(
    input: Tensor, dim: builtins.int = ..., *, dtype: DTypeLike | None = None,
    axis: builtins.int = ...
) -> Tensor: ...
def deg2rad(input: TensorLike) -> Tensor: ...
def deg2rad_(input: TensorLike) -> Tensor: ...
def detach(self: Tensor) -> Tensor: ...
def detach_(self: Tensor) -> Tensor: ...
def detach_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def diagonal_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def diff(
    input: Tensor, n: builtins.int = 1, dim: builtins.int = -1, prepend: Tensor | None = None,
    append: Tensor | None = None, *, axis: builtins.int = -1
) -> Tensor: ...
def digamma(input: TensorLike) -> Tensor: ...
def divide(
    input: Tensor, other: TensorLike, *, rounding_mode: str | None = None,
    out: Tensor | None = None
) -> Tensor: ...
double: dtype
e: builtins.float
def empty(
    *size: builtins.int | Sequence[builtins.int], dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: builtins.bool = False,
    memory_format: memory_format | None = None, **more: Setting
) -> Tensor: ...
def empty_like(
    input: Tensor, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
    requires_grad: builtins.bool = False, memory_format: memory_format | None = None,
    **more: Setting
) -> Tensor: ...
def eq(input: TensorLike, other: TensorLike) -> Tensor: ...
def erf(input: TensorLike) -> Tensor: ...
def erf_(input: TensorLike) -> Tensor: ...
def erfc(input: TensorLike) -> Tensor: ...
def erfc_(input: TensorLike) -> Tensor: ...
def erfinv(input: TensorLike) -> Tensor: ...
def exp(input: TensorLike) -> Tensor: ...
def exp2(input: TensorLike) -> Tensor: ...
def exp2_(input: TensorLike) -> Tensor: ...
def exp_(input: TensorLike) -> Tensor: ...
def expand_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def expm1(input: TensorLike) -> Tensor: ...
def expm1_(input: TensorLike) -> Tensor: ...
def fix(input: TensorLike) -> Tensor: ...
def fix_(input: TensorLike) -> Tensor: ...
def flip(input: Tensor, dims: Sequence[builtins.int]) -> Tensor: ...
float: dtype
float16: dtype
float32: dtype
float64: dtype
def floor(input: TensorLike) -> Tensor: ...
def floor_(input: TensorLike) -> Tensor: ...
def floor_divide(input: TensorLike, other: TensorLike) -> Tensor: ...
def fmax(input: TensorLike, other: TensorLike) -> Tensor: ...
def fmin(input: TensorLike, other: TensorLike) -> Tensor: ...
def fmod(input: TensorLike, other: TensorLike) -> Tensor: ...
def frac(input: TensorLike) -> Tensor: ...
def frac_(input: TensorLike) -> Tensor: ...
def gather(
    input: Tensor, dim: builtins.int, index: Tensor, *, sparse_grad: builtins.bool = False
) -> Tensor: ...
def gcd(input: TensorLike, other: TensorLike) -> Tensor: ...
def gcd_(input: TensorLike, other: TensorLike) -> Tensor: ...
def ge(input: TensorLike, other: TensorLike) -> Tensor: ...
def ger(input: Tensor, vec2: Tensor) -> Tensor: ...
def greater(input: TensorLike, other: TensorLike) -> Tensor: ...
def greater_equal(input: TensorLike, other: TensorLike) -> Tensor: ...
def gt(input: TensorLike, other: TensorLike) -> Tensor: ...
half: dtype
def heaviside(input: TensorLike, values: TensorLike) -> Tensor: ...
def huber(input: TensorLike, other: TensorLike, *, delta: Number = 1.0) -> Tensor: ...
def hypot(input: TensorLike, other: TensorLike) -> Tensor: ...
def i0(input: TensorLike) -> Tensor: ...
def i0_(input: TensorLike) -> Tensor: ...
def igamma(input: TensorLike, other: TensorLike) -> Tensor: ...
def igammac(input: TensorLike, other: TensorLike) -> Tensor: ...
def index_add(
    input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: Number = 1
) -> Tensor: ...
def index_copy(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor: ...
def index_fill(input: Tensor, dim: builtins.int, index: Tensor, value: TensorLike) -> Tensor: ...
def index_put_(
    input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: builtins.bool = False
) -> Tensor: ...
def index_reduce(
    input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, reduce: str, *,
    include_self: builtins.bool = True
) -> Tensor: ...
def index_select(input: Tensor, dim: builtins.int, index: Tensor) -> Tensor: ...
inf: builtins.float
int: dtype
int16: dtype
int32: dtype
int64: dtype
int8: dtype
def is_inference(self: Tensor) -> builtins.bool: ...
def is_neg(input: Tensor) -> builtins.bool: ...
def isfinite(input: TensorLike) -> Tensor: ...
def isinf(input: TensorLike) -> Tensor: ...
def isnan(input: TensorLike) -> Tensor: ...
def isneginf(input: TensorLike) -> Tensor: ...
def isposinf(input: TensorLike) -> Tensor: ...
def isreal(input: TensorLike) -> Tensor: ...
def kthvalue(
    input: Tensor, k: builtins.int, dim: builtins.int = -1, keepdim: builtins.bool = False, *,
    axis: builtins.int = -1, keepdims: builtins.bool = False
) -> Picked: ...
def lcm(input: TensorLike, other: TensorLike) -> Tensor: ...
def lcm_(input: TensorLike, other: TensorLike) -> Tensor: ...
def ldexp_(input: Tensor, other: Tensor) -> Tensor: ...
def le(input: TensorLike, other: TensorLike) -> Tensor: ...
def less(input: TensorLike, other: TensorLike) -> Tensor: ...
def less_equal(input: TensorLike, other: TensorLike) -> Tensor: ...
def lgamma(input: TensorLike) -> Tensor: ...
def log(input: TensorLike) -> Tensor: ...
def log10(input: TensorLike) -> Tensor: ...
def log10_(input: TensorLike) -> Tensor: ...
def log1p(input: TensorLike) -> Tensor: ...
def log1p_(input: TensorLike) -> Tensor: ...
def log2(input: TensorLike) -> Tensor: ...
def log2_(input: TensorLike) -> Tensor: ...
def log_(input: TensorLike) -> Tensor: ...
def log_softmax(
    input: Tensor, dim: builtins.int = ..., dtype: DTypeLike | None = None, *,
    axis: builtins.int = ...
) -> Tensor: ...
def logaddexp(input: TensorLike, other: TensorLike) -> Tensor: ...
def logaddexp2(input: TensorLike, other: TensorLike) -> Tensor: ...
def logcumsumexp(input: Tensor, dim: builtins.int = ..., *, axis: builtins.int = ...) -> Tensor: ...
def logical_and(input: TensorLike, other: TensorLike) -> Tensor: ...
def logical_not(input: TensorLike) -> Tensor: ...
def logical_or(input: TensorLike, other: TensorLike) -> Tensor: ...
def logical_xor(input: TensorLike, other: TensorLike) -> Tensor: ...
def logit_(input: Tensor, eps: builtins.float | None = None) -> Tensor: ...
def logsumexp(
    input: Tensor, dim: Dims = ..., keepdim: builtins.bool = False, *, axis: Dims = ...,
    keepdims: builtins.bool = False
) -> Tensor: ...
long: dtype
def lt(input: TensorLike, other: TensorLike) -> Tensor: ...
def matmul(input: TensorLike, other: TensorLike) -> Tensor: ...
def max(
    input: Tensor, dim: builtins.int | Tensor | None = None, keepdim: builtins.bool = False, *,
    other: Tensor | None = None, axis: builtins.int | Tensor | None = None,
    keepdims: builtins.bool = False
) -> Any: ...
def maximum(input: TensorLike, other: TensorLike) -> Tensor: ...
def mean(
    input: Tensor, dim: Dims = None, keepdim: builtins.bool = False, *,
    dtype: DTypeLike | None = None, axis: Dims = None, keepdims: builtins.bool = False,
    out: Tensor | None = None
) -> Tensor: ...
def median(
    input: Tensor, dim: builtins.int | Tensor | None = None, keepdim: builtins.bool = False, *,
    other: Tensor | None = None, axis: builtins.int | Tensor | None = None,
    keepdims: builtins.bool = False
) -> Any: ...
def min(
    input: Tensor, dim: builtins.int | Tensor | None = None, keepdim: builtins.bool = False, *,
    other: Tensor | None = None, axis: builtins.int | Tensor | None = None,
    keepdims: builtins.bool = False
) -> Any: ...
def minimum(input: TensorLike, other: TensorLike) -> Tensor: ...
def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor: ...
def mode(
    input: Tensor, dim: builtins.int = -1, keepdim: builtins.bool = False, *,
    axis: builtins.int = -1, keepdims: builtins.bool = False
) -> Picked: ...
def moveaxis(input: Tensor, source: Dims, destination: Dims) -> Tensor: ...
def mul(input: TensorLike, other: TensorLike) -> Tensor: ...
def multiply(input: TensorLike, other: TensorLike) -> Tensor: ...
def mv(input: Tensor, vec: Any, *, out: Tensor | None = None) -> Tensor: ...
nan: builtins.float
def nan_to_num_(
    input: Tensor, nan: builtins.float | None = None, posinf: builtins.float | None = None,
    neginf: builtins.float | None = None
) -> Tensor: ...
def nanmean(
    input: Tensor, dim: Dims = None, keepdim: builtins.bool = False, *,
    dtype: DTypeLike | None = None, axis: Dims = None, keepdims: builtins.bool = False
) -> Tensor: ...
def nanmedian(
    input: Tensor, dim: builtins.int | Tensor | None = None, keepdim: builtins.bool = False, *,
    other: Tensor | None = None, axis: builtins.int | Tensor | None = None,
    keepdims: builtins.bool = False
) -> Any: ...
def nanquantile(
    input: Tensor, q: Tensor | builtins.float, dim: builtins.int | None = None,
    keepdim: builtins.bool = False, *, interpolation: str = 'linear',
    axis: builtins.int | None = None, keepdims: builtins.bool = False
) -> Tensor: ...
def nansum(
    input: Tensor, dim: Dims = None, keepdim: builtins.bool = False, *,
    dtype: DTypeLike | None = None, axis: Dims = None, keepdims: builtins.bool = False
) -> Tensor: ...
def narrow(
    input: Tensor, dim: builtins.int, start: builtins.int | Tensor, length: builtins.int
) -> Tensor: ...
def narrow_copy(
    input: Tensor, dim: builtins.int, start: builtins.int, length: builtins.int
) -> Tensor: ...
def ne(input: TensorLike, other: TensorLike) -> Tensor: ...
def neg(input: TensorLike) -> Tensor: ...
def neg_(input: TensorLike) -> Tensor: ...
def negative(input: TensorLike) -> Tensor: ...
def negative_(input: TensorLike) -> Tensor: ...
def nextafter(input: TensorLike, other: TensorLike) -> Tensor: ...
def norm(
    input: Tensor, p: Number | str | None = 'fro', dim: Dims = None,
    keepdim: builtins.bool = False, dtype: dtype | None = None, *, axis: Dims = None,
    keepdims: builtins.bool = False
) -> Tensor: ...
def not_equal(input: TensorLike, other: TensorLike) -> Tensor: ...
def ones(
    *size: builtins.int | Sequence[builtins.int], dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: builtins.bool = False,
    memory_format: memory_format | None = None, **more: Setting
) -> Tensor: ...
def ones_like(
    input: Tensor, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
    requires_grad: builtins.bool = False, memory_format: memory_format | None = None,
    **more: Setting
) -> Tensor: ...
def permute(input: Tensor, dims: Sequence[builtins.int]) -> Tensor: ...
def permute_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
pi: builtins.float
def prod(
    input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False, *,
    dtype: DTypeLike | None = None, axis: builtins.int | None = None,
    keepdims: builtins.bool = False
) -> Tensor: ...
def quantile(
    input: Tensor, q: Tensor | builtins.float, dim: builtins.int | None = None,
    keepdim: builtins.bool = False, *, interpolation: str = 'linear',
    axis: builtins.int | None = None, keepdims: builtins.bool = False
) -> Tensor: ...
def rad2deg(input: TensorLike) -> Tensor: ...
def rad2deg_(input: TensorLike) -> Tensor: ...
def rand(
    *size: builtins.int | Sequence[builtins.int], dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: builtins.bool = False,
    memory_format: memory_format | None = None, **more: Setting
) -> Tensor: ...
def rand_like(
    input: Tensor, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
    requires_grad: builtins.bool = False, memory_format: memory_format | None = None,
    **more: Setting
) -> Tensor: ...
def randn(
    *size: builtins.int | Sequence[builtins.int], dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: builtins.bool = False,
    memory_format: memory_format | None = None, **more: Setting
) -> Tensor: ...
def randn_like(
    input: Tensor, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
    requires_grad: builtins.bool = False, memory_format: memory_format | None = None,
    **more: Setting
) -> Tensor: ...
def reciprocal(input: TensorLike) -> Tensor: ...
def reciprocal_(input: TensorLike) -> Tensor: ...
def relu(input: TensorLike) -> Tensor: ...
def remainder(input: TensorLike, other: TensorLike) -> Tensor: ...
def renorm(input: Tensor, p: Number, dim: builtins.int, maxnorm: Number) -> Tensor: ...
def repeat_interleave(
    input: Tensor | None = None, repeats: Tensor | builtins.int | None = None,
    dim: builtins.int | None = None, *, output_size: builtins.int | None = None,
    axis: builtins.int | None = None
) -> Tensor: ...
def reshape(input: Tensor, shape: Sequence[builtins.int]) -> Tensor: ...
def resolve_neg(input: Tensor) -> Tensor: ...
def round_(input: Tensor, *, decimals: builtins.int | None = None) -> Tensor: ...
def row_stack(tensors: Sequence[Tensor]) -> Tensor: ...
def rsqrt(input: TensorLike) -> Tensor: ...
def rsqrt_(input: TensorLike) -> Tensor: ...
def scatter(
    input: Tensor, dim: builtins.int, index: Tensor, src: TensorLike | None = None, *,
    value: Number | None = None, reduce: str | None = None
) -> Tensor: ...
def scatter_add(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor: ...
def scatter_reduce(
    input: Tensor, dim: builtins.int, index: Tensor, src: Tensor, reduce: str, *,
    include_self: builtins.bool = True
) -> Tensor: ...
def select(input: Tensor, dim: builtins.int, index: builtins.int) -> Tensor: ...
def select_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def select_scatter(
    input: Tensor, src: Tensor, dim: builtins.int, index: builtins.int
) -> Tensor: ...
short: dtype
def sigmoid(input: TensorLike) -> Tensor: ...
def sigmoid_(input: TensorLike) -> Tensor: ...
def signbit(input: TensorLike) -> Tensor: ...
def sin(input: TensorLike) -> Tensor: ...
def sin_(input: TensorLike) -> Tensor: ...
def sinc(input: TensorLike) -> Tensor: ...
def sinc_(input: TensorLike) -> Tensor: ...
def sinh(input: TensorLike) -> Tensor: ...
def sinh_(input: TensorLike) -> Tensor: ...
def slice_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def slice_scatter(
    input: Tensor, src: Tensor, dim: builtins.int = 0, start: builtins.int | None = None,
    end: builtins.int | None = None, step: builtins.int = 1, *, axis: builtins.int = 0
) -> Tensor: ...
def smooth_l1(input: TensorLike, other: TensorLike, *, beta: Number = 1.0) -> Tensor: ...
def softmax(
    input: Tensor, dim: builtins.int = ..., dtype: DTypeLike | None = None, *,
    axis: builtins.int = ...
) -> Tensor: ...
def sort(
    input: Tensor, dim: builtins.int = -1, descending: builtins.bool = False,
    stable: builtins.bool | None = None, *, axis: builtins.int = -1
) -> Picked: ...
def split(
    tensor: Tensor, split_size_or_sections: builtins.int | Sequence[builtins.int],
    dim: builtins.int = 0, *, axis: builtins.int = 0
) -> tuple[Tensor, ...]: ...
def split_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def split_with_sizes(
    input: Tensor, split_sizes: Sequence[builtins.int], dim: builtins.int = 0, *,
    axis: builtins.int = 0
) -> tuple[Tensor, ...]: ...
def split_with_sizes_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def spmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor: ...
def sqrt(input: TensorLike) -> Tensor: ...
def sqrt_(input: TensorLike) -> Tensor: ...
def square(input: TensorLike) -> Tensor: ...
def square_(input: Argument, no_more: object = ..., out: Argument = ...) -> Tensor: ...
def squeeze(input: Tensor, dim: Dims = None, *, axis: Dims = None) -> Tensor: ...
def squeeze_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def stack(
    tensors: Sequence[Tensor], dim: builtins.int = 0, *, axis: builtins.int = 0
) -> Tensor: ...
def std(
    input: Tensor, dim: Dims = None, unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False, *, correction: builtins.float | None = None, axis: Dims = None,
    keepdims: builtins.bool = False
) -> Tensor: ...
def std_mean(
    input: Tensor, dim: Dims = None, unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False, *, correction: builtins.float | None = None, axis: Dims = None,
    keepdims: builtins.bool = False
) -> tuple[Tensor, Tensor]: ...
def subtract(
    input: Tensor, other: TensorLike, *old: Tensor, alpha: AnyNumber = 1, out: Tensor | None = None
) -> Tensor: ...
def sum(
    input: Tensor, dim: Dims = None, keepdim: builtins.bool = False, *,
    dtype: DTypeLike | None = None, axis: Dims = None, keepdims: builtins.bool = False,
    out: Tensor | None = None
) -> Tensor: ...
def swapdims(input: Tensor, dim0: builtins.int, dim1: builtins.int) -> Tensor: ...
def t_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def take_along_dim(
    input: Tensor, indices: Tensor, dim: builtins.int | None = None, *,
    axis: builtins.int | None = None
) -> Tensor: ...
def tan(input: TensorLike) -> Tensor: ...
def tan_(input: TensorLike) -> Tensor: ...
def tanh(input: TensorLike) -> Tensor: ...
def tanh_(input: TensorLike) -> Tensor: ...
def tensor_split(
    input: Tensor, indices_or_sections: builtins.int | Sequence[builtins.int] | Tensor,
    dim: builtins.int = 0, *, axis: builtins.int = 0
) -> tuple[Tensor, ...]: ...
def topk(
    input: Tensor, k: builtins.int, dim: builtins.int = -1, largest: builtins.bool = True,
    sorted: builtins.bool = True, *, axis: builtins.int = -1
) -> Picked: ...
def transpose_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def trapz(
    y: Tensor, x: Tensor | None = None, *, dx: Number | None = None, dim: builtins.int = -1
) -> Tensor: ...
def tril(input: Tensor, diagonal: builtins.int = 0) -> Tensor: ...
def triu(input: Tensor, diagonal: builtins.int = 0) -> Tensor: ...
def true_divide(
    input: Tensor, other: TensorLike, *, rounding_mode: str | None = None,
    out: Tensor | None = None
) -> Tensor: ...
def trunc(input: TensorLike) -> Tensor: ...
def trunc_(input: TensorLike) -> Tensor: ...
uint8: dtype
def unbind(
    input: Tensor, dim: builtins.int = 0, *, axis: builtins.int = 0
) -> tuple[Tensor, ...]: ...
def unbind_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def unflatten(input: Tensor, dim: builtins.int, sizes: Sequence[builtins.int]) -> Tensor: ...
def unfold_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def unique(
    input: Tensor, sorted: builtins.bool = True, return_inverse: builtins.bool = False,
    return_counts: builtins.bool = False, dim: builtins.int | None = None, *,
    axis: builtins.int | None = None
) -> Tensor | tuple[Tensor, ...]: ...
def unique_consecutive(
    input: Tensor, return_inverse: builtins.bool = False, return_counts: builtins.bool = False,
    dim: builtins.int | None = None, *, axis: builtins.int | None = None
) -> Tensor | tuple[Tensor, ...]: ...
def unsafe_chunk(
    input: Tensor, chunks: builtins.int, dim: builtins.int = 0, *, axis: builtins.int = 0
) -> tuple[Tensor, ...]: ...
def unsafe_split(
    tensor: Tensor, split_size_or_sections: builtins.int | Sequence[builtins.int],
    dim: builtins.int = 0, *, axis: builtins.int = 0
) -> tuple[Tensor, ...]: ...
def unsafe_split_with_sizes(
    input: Tensor, split_sizes: Sequence[builtins.int], dim: builtins.int = 0, *,
    axis: builtins.int = 0
) -> tuple[Tensor, ...]: ...
def unsqueeze(input: Tensor, dim: builtins.int = ..., *, axis: builtins.int = ...) -> Tensor: ...
def unsqueeze_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def var(
    input: Tensor, dim: Dims = None, unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False, *, correction: builtins.float | None = None, axis: Dims = None,
    keepdims: builtins.bool = False
) -> Tensor: ...
def var_mean(
    input: Tensor, dim: Dims = None, unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False, *, correction: builtins.float | None = None, axis: Dims = None,
    keepdims: builtins.bool = False
) -> tuple[Tensor, Tensor]: ...
def view_as_complex_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def view_as_real_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def view_copy(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument: ...
def xlogy(input: TensorLike, other: TensorLike) -> Tensor: ...
def xlogy_(input: TensorLike, other: TensorLike) -> Tensor: ...
def zeros(
    *size: builtins.int | Sequence[builtins.int], dtype: DTypeLike | None = None,
    device: DeviceLike | None = None, requires_grad: builtins.bool = False,
    memory_format: memory_format | None = None, **more: Setting
) -> Tensor: ...
def zeros_like(
    input: Tensor, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
    requires_grad: builtins.bool = False, memory_format: memory_format | None = None,
    **more: Setting
) -> Tensor: ...
