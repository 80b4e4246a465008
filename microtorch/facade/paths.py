"""PyTorch's import paths, and older ones of ours: one module, asked for under several names.

    from torch.nn.modules.linear import Linear    PyTorch keeps it there, we in nn/layers/linear.py
    import microtorch.data.loader                 where it was once: old pickles name it

`PYTORCH` and `OLD` say for a name below microtorch which module answers. A finder at the front of
`sys.meta_path` hands out that very module, not a copy, when the name is imported; until then
nothing is loaded. It has to be at the front: later in the list, Python would find `linear.py`
through the folder of nn.layers and load it a second time. For the same reason a name below a row
that has no row of its own is refused here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

from ..base.absent import ABSENT, absent
from ..base.errors import missing, second_names

_PACKAGE = __name__.partition(".")[0]

PYTORCH = {
    "nn.modules": "nn.layers",
    # where PyTorch keeps more in one file than we do: all layers
    "nn.modules.activation": "nn.layers",
    "nn.modules.adaptive": "nn.layers.output_losses",
    "nn.modules.batchnorm": "nn.layers",
    "nn.modules.channelshuffle": "nn.layers.shuffles",
    "nn.modules.container": "nn.layers",
    "nn.modules.conv": "nn.layers",
    "nn.modules.distance": "nn.layers.distances",
    "nn.modules.dropout": "nn.layers.dropout",
    "nn.modules.flatten": "nn.layers.flatten",
    "nn.modules.fold": "nn.layers.fold",
    "nn.modules.instancenorm": "nn.layers",
    "nn.modules.lazy": "nn.layers.lazy",
    "nn.modules.linear": "nn.layers",
    "nn.modules.loss": "nn.layers",
    "nn.modules.module": "nn.module",
    "nn.modules.normalization": "nn.layers",
    "nn.modules.padding": "nn.layers.padding",
    "nn.modules.pixelshuffle": "nn.layers.shuffles",
    "nn.modules.pooling": "nn.layers.pooling",
    "nn.modules.rnn": "nn.layers.rnn",
    "_C": "facade.c_names",
    "_dynamo": "facade.dynamo",
    "_dynamo.config": "facade.compiler_config",
    "_dynamo.eval_frame": "facade.dynamo",
    "_inductor": "facade.inductor",
    "_inductor.config": "facade.compiler_config",
    "_tensor": "handles.tensor",
    "_utils": "nn.utils.vectors",
    "_vmap_internals": "func",
    "nn.modules.sparse": "nn.layers.sparse",
    "nn.modules.transformer": "nn.layers.transformer",
    "nn.modules.upsampling": "nn.layers.resampling",
    "nn.modules.utils": "nn.layers.sizes",
    "autograd.anomaly_mode": "autograd.anomaly",
    "distributed.algorithms": "distributed",
    "distributed.algorithms.ddp_comm_hooks": "nn.parallel",
    "distributed.algorithms.ddp_comm_hooks.default_hooks": "nn.parallel.hooks",
    "distributed.algorithms.join": "distributed.joining",
    "distributed.distributed_c10d": "distributed",
    "distributed.elastic": "distributed",
    "distributed.elastic.multiprocessing": "distributed",
    "distributed.elastic.multiprocessing.errors": "distributed.run",
    "distributed.nn": "distributed.functional",
    "distributed.nn.functional": "distributed.functional",
    "distributed.optim": "optim.zero",
    "distributed.optim.zero_redundancy_optimizer": "optim.zero",
    "futures": "distributed.futures",
    "fx._symbolic_trace": "fx.tracing",
    "fx.experimental": "fx.passes",
    "fx.experimental.optimization": "fx.passes.fusion",
    "fx.subgraph_rewriter": "fx.rewriting",
    "nn.parallel.scatter_gather": "nn.parallel.data_parallel",
    "nn.utils.clip_grad": "nn.utils.clipping",
    "nn.utils.convert_parameters": "nn.utils.vectors",
    "nn.utils.init": "nn.utils.fresh",
    "nn.utils.memory_format": "nn.utils.fresh",
    "optim._adafactor": "optim.adafactor",
    "optim._muon": "optim.muon",
    "optim.adadelta": "optim.adaptive",
    "optim.adagrad": "optim.adaptive",
    "optim.adamax": "optim.adam_variants",
    "optim.adamw": "optim.adam",
    "optim.nadam": "optim.adam_variants",
    "optim.radam": "optim.adam_variants",
    "optim.rmsprop": "optim.adaptive",
    "serialization": "files",
    "storage": "handles.storage",
    "torch_version": "base.versions",
    "utils._pytree": "utils.trees",
    "utils.dlpack": "create.exchange",
    "utils.data._utils": "utils.data",
    "utils.data._utils.collate": "utils.data.collate",
    "utils.data._utils.fetch": "utils.data.fetching",
    "utils.data._utils.worker": "utils.data.worker",
    "vision.models.feature_extraction": "fx.features",
    "vision.models.mobilenet": "vision.models.mobilenetv2",
    "vision.ops.focal_loss": "vision.ops.losses",
    "vision.ops.misc": "vision.ops.layers",
    "vision.io.image": "vision.io",
    "vision.transforms._presets": "vision.transforms.presets",
    "vision.transforms.autoaugment": "vision.transforms.augment",
    "vision.transforms.transforms": "vision.transforms",
    # what stands in facade/
    "__config__": "facade.config",
    "types": "facade.types",
    "amp": "facade.amp",
    "amp.autocast_mode": "facade.amp",
    "amp.grad_scaler": "optim.grad_scaler",
    "accelerator": "facade.accelerator",
    "cpu": "facade.cpu",
    "cpu.amp": "facade.cpu_amp",
    "autograd.profiler": "facade.profiler",
    "backends.cuda": "facade.cuda_backend",
    "backends.cudnn": "facade.cudnn",
    "backends.mkl": "facade.no_backend",
    "backends.mkldnn": "facade.no_backend",
    "backends.openmp": "facade.no_backend",
    "backends.opt_einsum": "facade.no_backend",
    "backends.mps": "facade.mps",
    "mps": "facade.other_devices",
    "return_types": "facade.return_types",
    "quasirandom": "create.quasirandom",
    "nn.attention": "facade.attention",
    "compiler": "facade.compiler",
    "cuda": "facade.cuda",
    "cuda.memory": "facade.cuda",
    "cuda.random": "facade.cuda",
    "cuda.amp": "facade.cuda_amp",
    "cuda.amp.autocast_mode": "facade.cuda_amp",
    "cuda.amp.grad_scaler": "facade.cuda_amp",
    "hub": "facade.hub",
    "library": "facade.library",
    "export": "facade.export",
    "jit": "facade.jit",
    "jit.annotations": "facade.annotations",
    "multiprocessing": "facade.multiprocessing",
    "onnx": "facade.onnx",
    "signal": "facade.signal",
    "signal.windows": "create.windows",
    "opencl": "facade.opencl",
    "functional": "facade.functional",
    "profiler": "facade.profiler",
    "random": "facade.random",
    "special": "facade.special",
    "testing": "facade.testing",
    "xpu": "facade.other_devices",
    "utils.flop_counter": "facade.flop_counter",
    "utils.hooks": "graph.hooks",
    "utils.model_zoo": "facade.hub",
    "utils.tensorboard": "facade.tensorboard",
    "utils.tensorboard.writer": "facade.tensorboard",
}
# one file for each class there, one for each kind here
_DISTRIBUTIONS = {
    "categorical": "multinomial one_hot_categorical",
    "combined": "independent mixture_same_family transformed_distribution",
    "counts": "bernoulli binomial geometric negative_binomial poisson",
    "gammas": "beta chi2 dirichlet exponential fishersnedecor gamma",
    "location_scale": "cauchy laplace normal studentT uniform von_mises",
    "matrices": "lkj_cholesky wishart",
    "multivariate_normal": "lowrank_multivariate_normal",
    "relaxed": "continuous_bernoulli relaxed_bernoulli relaxed_categorical",
    "transformed": "gumbel half_cauchy half_normal inverse_gamma kumaraswamy "
    "log_normal logistic_normal pareto weibull",
}
PYTORCH |= {
    f"distributions.{theirs}": f"distributions.{ours}"
    for ours, names in _DISTRIBUTIONS.items()
    for theirs in names.split()
}
OLD = {  # ours, before modules moved
    "alias": "facade.alias",
    "creation": "create.random",
    "device": "arrays.device",
    "doctor": "programs.doctor",
    "dtypes": "arrays.dtypes",
    "errors": "base.errors",
    "expr": "notation.expr",
    "formulas": "notation.formulas",
    "generator": "arrays.generator",
    "inplace": "handles.inplace",
    "printing": "arrays.printing",
    "scalar": "handles.scalar",
    "tensor": "handles.tensor",
    "data": "utils.data",
    "data.collate": "utils.data.collate",
    "data.dataset": "utils.data.dataset",
    "data.loader": "utils.data.dataloader",
    "data.sampler": "utils.data.sampler",
    "nn.activations": "nn.layers",  # with Dropout and Flatten
    "nn.containers": "nn.layers",
    "nn.conv": "nn.layers",  # with Fold and Unfold
    "nn.layer_functions": "nn.functional",
    "nn.linear": "nn.layers.linear",
    "nn.loss_functions": "nn.functional",
    "nn.losses": "nn.layers.losses",
    "nn.normalization": "nn.layers.normalization",
    "nn.pooling": "nn.layers.pooling",
    "nn.recurrence": "nn.functional.recurrence",
    "nn.rnn": "nn.layers.rnn",
    "nn.sparse": "nn.layers.sparse",
    "nn.transformer": "nn.layers.transformer",
}
PATHS = PYTORCH | OLD


class SecondName:
    """A loader that hands out a module that is there already."""

    def spec(self, name: str, module: ModuleType) -> ModuleSpec:
        """What tells the import system that `name` is `module`."""
        state = (module, module.__spec__)
        # typeshed asks for a class derived from importlib.abc.Loader, which is slow to import
        return ModuleSpec(name, cast("Any", self), loader_state=state)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module: ModuleType = spec.loader_state[0]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to execute: only the module's own spec has to be put back.

        The import system has just written that of the second name on it.
        """
        spec = module.__spec__
        assert spec is not None
        module.__spec__ = spec.loader_state[1]


class Finder(SecondName):
    """Answers the names of the table."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != _PACKAGE:
            return None
        if name in PATHS:
            module = importlib.import_module(f"{_PACKAGE}.{PATHS[name]}")
            if any(row.startswith(f"{name}.") for row in (*PATHS, *ABSENT)):
                vars(module).setdefault("__path__", [])  # a package to Python: it asks here further
            _speaking(name, module)
            _enter_loaded(name, module)
            return self.spec(fullname, module)
        if said := absent(name):
            raise ModuleNotFoundError(said, name=fullname)
        if name.rpartition(".")[0] in PATHS:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def _speaking(name: str, module: ModuleType) -> None:
    """Let the module speak of names that it lacks as one at PyTorch's path: the first of its paths
    that is asked for, unless it has a ``__getattr__`` of its own."""
    if name in PYTORCH and not name.startswith("vision."):
        known = getattr(module, "__all__", None) or [*vars(module)]
        vars(module).setdefault("__getattr__", missing(f"{_PACKAGE}.{name}", known))


def _enter_loaded(above: str, owner: ModuleType, taken: Collection[str] = ()) -> None:
    """Enter the rows directly below `above`, which is `owner`, whose module is loaded.

    `nn.modules.batchnorm` is then an attribute, as it is in PyTorch. And such a row is never
    imported, which would bind the module to its name in `owner`, also where this name means
    something else: `microtorch.tensor` was a module once, and is the function torch.tensor.
    `taken`: such names, which the owner finds when they are asked for.
    """
    for name, real in PATHS.items():
        first, _, last = name.rpartition(".")
        module = sys.modules.get(f"{_PACKAGE}.{real}")
        if first == above and module is not None:
            sys.modules.setdefault(f"{_PACKAGE}.{name}", module)
            if last not in taken:
                owner.__dict__.setdefault(last, module)


def install(names: Collection[str]) -> None:
    """Put the finder in front. Called once, by the package, when it has loaded what it needs.

    `names`: what it offers.
    """
    sys.meta_path.insert(0, Finder())
    second_names.update(PYTORCH)
    for name, real in PYTORCH.items():
        if (module := sys.modules.get(f"{_PACKAGE}.{real}")) is not None:
            _speaking(name, module)
    _enter_loaded("", sys.modules[_PACKAGE], names)
