"""Why names of PyTorch's are not here, and what differs on purpose: read by coverage.py.

``ABSENT``: a reason, and patterns of the names that it holds for, separated by spaces. A pattern is
a name, or a path that begins with ``torch.``; the first that fits counts.
"""

ABSENT: tuple[tuple[str, str], ...] = (
    (
        "sparse layouts",
        "*sparse* *coo* *csr* *csc* *bsr* *bsc* coalesce is_coalesced crow_indices col_indices "
        "ccol_indices row_indices indices values dense_dim smm sspaddmm hsmm hspmm dsmm saddmm "
        "spmm torch.Tensor.to_dense nnz",
    ),
    (
        "quantisation",
        "*quant* q_* qint* quint* qscheme int_repr per_channel_* per_tensor_* fbgemm_* QInt* "
        "QUInt* fused_moving_avg_obs_fake_quant bits* int1 int2 int3 int4 int5 int6 int7 uint1 "
        "uint2 uint3 uint4 uint5 uint6 uint7 float4* float8* scaled_mm scaled_grouped_mm "
        "grouped_mm",
    ),
    ("complex numbers of 16-bit floats, which PyTorch computes with on GPUs", "complex32 chalf"),
    ("unsigned types wider than 8 bits, which PyTorch has in part only", "uint16 uint32 uint64"),
    ("parts of sparse layouts, copied", "*indices_copy values_copy"),
    ("inner functions of functorch", "slice_inverse"),
    (
        "hardware that is not here",
        "cuda* cudnn* miopen* mkldnn* is_vulkan* *vulkan* *xpu* *mps* *mtia* *ipu* *maia* *xla* "
        "*hpu* *mkldnn* has_mkl has_openmp has_lapack has_spectral is_meta Stream Event fork wait "
        "record_stream get_device_module *autocast_gpu* *autocast_ipu* *autocast_xla* "
        "torch.*ForeachTensor HalfStorage",
    ),
    (
        "the rest of torch.jit, torch.compile and torch.fx: compilers and serialised programs",
        "compile compiler *jit* sym_* Sym* parse_* import_ir* merge_type* unify_type* cond "
        "while_loop *ScriptModule* get_file_path vitals* init_num_threads classproperty "
        "compiled_with_cxx11_abi read_vitals set_vital",
    ),
    ("named dimensions, which PyTorch has given up", "names rename* refine_names align_*"),
    ("the memory below a tensor: use x.data_ptr(), x.numpy()", "*storage* Storage *Storage"),
    ("distributed training", "*istributed* DataParallel DistributedSampler"),
    (
        "steps of batch normalisation across processes",
        "batch_norm_backward* batch_norm_elemt batch_norm_gather* batch_norm_stats "
        "batch_norm_update_stats",
    ),
    (
        "functions that PyTorch itself has withdrawn: they raise an error there",
        "torch.eig torch.lstsq torch.matrix_rank torch.solve torch.symeig torch.Tensor.eig "
        "torch.Tensor.lstsq torch.Tensor.solve torch.Tensor.symeig reinforce volatile resize "
        "resize_as torch.nn.Container",
    ),
    (
        "inner functions of PyTorch's, which nn and nn.functional call under other names",
        "native_norm lstm gru rnn_tanh rnn_relu embedding_bag embedding_renorm_ "
        "autocast_*nesting choose_qparams* swap_in_optimizer* enforce_grad_layout* debug_unwrap "
        "rearrange factory_kwargs torch.Tensor.index torch.Tensor.name torch.bit NestedIOFunction "
        "*multithreading* is_view_replay* kineto* argument_validation non_deterministic "
        "DLDeviceType torch.fft.Tensor "
        "boolean_dispatch assert_int_or_pair has_torch_function* handle_torch_function "
        "is_tensor_like conv_tbc grid_sampler* affine_grid_generator nuclear_norm",
    ),
    ("nested (jagged) tensors", "*nested* *padded_tensor* jagged"),
    (
        "internal names that are not documented",
        "module_load grad_dtype const_data_ptr hash_tensor torch.segment_reduce prepare_multi* "
        "thread_safe_generator is_warn_always_enabled set_warn_always torch.from_file "
        "PRIVATE_OPS profiler_* DisableTorchFunction* legacy_contiguous_format SUM AVG",
    ),
    ("data pipes, which PyTorch has given up", "*DataPipe* *datapipe* DataChunk *runtime_valid*"),
)

DIFFERENT: tuple[str, ...] = (
    "An error message says what PyTorch's says, then the shapes, the line of your program and the "
    "likely fix. Classes are PyTorch's.",
    "A result of an op on an instance of your own subclass of Tensor is a plain Tensor; PyTorch "
    "passes the subclass on through `__torch_function__`, of which a class that has one of its own "
    "is warned here. `as_subclass` makes an instance.",
    "numpy's names `x`, `x1` and `x2` are taken by all functions but those of which the call is "
    "most of the time: elementwise ones of one or two operands, `sum`, `mean` and views. `axis` "
    "and `keepdims` are taken wherever PyTorch takes them.",
    "numpy's arrays are taken as operands beside a tensor, where PyTorch raises TypeError or "
    "leaves the work to numpy. So `x == array` compares elements, and `x += array` writes into "
    "`x`. Of numpy's numbers a `bool_` counts as a bool and a `complex64` as complex; PyTorch "
    "reads both as floats.",
    "Of images that are `channels_last`, `group_norm`, `roll` and `stack` give rows, and so is the "
    "gradient of a convolution's weight; in PyTorch they lie as the images do.",
    "`resize_` and `empty` give zeros, or what memory held, where PyTorch gives what memory held.",
    "Elements of equal value come in the order of `stable=True` from `sort`, `argsort`, `topk`, "
    "`mode` and `kthvalue`; PyTorch leaves their order open.",
    "The signs of singular vectors and eigenvectors are LAPACK's, which differ between its builds.",
    "`as_strided_scatter` passes no gradient to the elements that it overwrites; PyTorch's does, "
    "and drops the rest.",
    "Backward nodes have PyTorch's names where one op here is one op there. A function that is "
    "made of several ops shows each of them.",
    "A backward node that is called, `y.grad_fn(g)`, gives each input a gradient of the input's "
    "shape; PyTorch's does not sum over what was broadcast.",
    "`gradgradcheck` fails where a gradient changes and carries none itself; PyTorch's looks at "
    "those alone that carry one.",
    "Backward refuses what PyTorch refuses because it was overwritten. Where a derivative reads "
    "other values here than there (of `kron`, `ldexp`), a write that PyTorch "
    "allows may be refused; the error says what read it.",
    "`conj()` is computed at once, and so is what is taken of it: a write into it does not reach "
    "the tensor, and `is_conj` and `is_neg` are False.",
    "Tensors have at most 64 dimensions, as numpy's arrays do.",
    "A checkpoint (`use_reentrant=False`) whose second run records other operations raises "
    "CheckpointError, also where PyTorch stops before it would notice.",
    "`inference_mode` is `no_grad`: what is made in it is a tensor like any other, which backward "
    "may use later and which may be written; PyTorch refuses.",
    "Where PyTorch's gradient is wrong without an error, the right one is given: `scatter_reduce` "
    "with `include_self=False` where `amax` or `amin` meets the old value, `det` of a singular "
    "matrix, `embedding_bag` with `scale_grad_by_freq`, `cosine_similarity` of vectors shorter "
    "than `eps`, `cdist` and `pdist` with p=inf where two differences are the largest (each "
    "has its share).",
    "A step with `differentiable=True` has its whole derivative; PyTorch's SGD passes none through "
    "the first momentum. It takes dense real gradients, and `lr` has a derivative where a step is "
    "one kernel (SGD, Adam, AdamW, Adagrad, RMSprop, Adadelta).",
    "`Optimizer.load_state_dict` copies the state that it is given; PyTorch's goes on writing into "
    "it.",
    "A matrix product with `out=` one of its operands is right; PyTorch's reads what it writes.",
    "The gradient of `CrossMapLRN2d` is that of its formula; PyTorch's does not pass its own "
    "`gradcheck`.",
    "`elu_` and `leaky_relu_` with a negative slope, and `max_pool1d` and `max_pool2d` whose "
    "indices were overwritten, have their right gradient; PyTorch refuses.",
    "With `include_last_offset` the last offset of an `EmbeddingBag` ends the last bag, whatever "
    "the dtype; some of PyTorch's kernels read on to the end.",
    "Inside of `torch.func`'s transforms a function may write into tensors from outside, and "
    "call `requires_grad_` and `torch.autograd.functional`; PyTorch refuses.",
    "A `.grad` that `backward` writes inside of a `dual_level` has no tangent; the gradients of "
    "`torch.autograd.grad` have theirs.",
    "`norm` with p=0 has a gradient of zeros; PyTorch's leaves `.grad` None.",
    "Where a second derivative is taken just at a kink or a pole, PyTorch has NaN for `0 ** x`, "
    "`sinc`, `copysign` and `logit(eps)`, and here it is the limit or 0; and PyTorch's of `prelu` "
    "at 0 is 0, here that of the negative side. By a divisor of 0 it is NaN here for `fmod` and "
    "`remainder`, and 0 there. That of `binary_cross_entropy` for a probability of 0 or 1, where "
    "the loss is clamped, is another large number.",
    "`all` and `any` into an `out` of uint8 ask whether an element is 0; PyTorch's cast it to "
    "uint8 first, and 0.5 counts as 0.",
    "`torch.linalg.cond` of a matrix with NaN is NaN; PyTorch's is inf in some norms.",
    "A Python number beside integers of few bits is taken as it is by `searchsorted`, `bucketize` "
    "and `isin`; PyTorch wraps it around first, and finds -1 where a byte is 255. `trapezoid` and "
    "`softsign` of bytes do not overflow either, and `ldexp` does not for 2 ** y alone.",
    "`einsum` and the results of `torch.linalg` and `torch.fft` lie in memory as numpy lays them, "
    "often in rows where PyTorch has columns: their `stride()` differs, and whether a `view` is "
    "possible.",
    "A custom Function behind another one that returned None for it is not run in backward; "
    "PyTorch runs it with zeros, so that a `.grad` is 0 there and None here. Hooks do not run for "
    "a gradient that is None.",
    "Backward takes nodes by their age, leaves too; PyTorch's runs the hooks of a leaf as soon as "
    "its gradient is complete. The order of hooks on different tensors may differ.",
    "A write through `.data` is not seen by autograd: where a derivative reads what was written, "
    "both gradients are wrong, and not by the same amount (of norms, attention, `prod`).",
    "`var_mean` of complex numbers with `dim=()` has its gradient; PyTorch's is infinite.",
    "Some functions take dtypes that PyTorch's CPU kernels lack: special functions of 16-bit "
    "numbers, `clamp` of masks, `max_pool1d` of integers, `where` of complex and real numbers.",
    "`out=` of another dtype is refused by `lerp`, `inner`, `matrix_power`, `diff` and `cholesky`, "
    "where PyTorch takes it in some of their forms, and `lu` has none. Functions that have no "
    "`out=` in PyTorch may have one here.",
    "NaN passes on where PyTorch's kernels pass over it: in `cdist` with p=inf, in the derivatives "
    "of `i0`, in `igamma`. Of 0.0 and -0.0 either may be the `min` or the `max`.",
    "A gradient through a write at indices into an expanded tensor is refused, where PyTorch warns "
    "of the write.",
    "None stands for the default of `dim` and `unbiased` in all reductions, and a target or a "
    "weight of a loss may have a gradient; PyTorch refuses some of these.",
)
