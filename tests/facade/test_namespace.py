"""The public names are pinned: nothing appears or disappears unnoticed; and what scripts touch.

docs/coverage.md pins the names that are PyTorch's (test_coverage.py holds it against the package).
Pinned here is what it does not say: that each of them is exported, and what is public beside them.
"""
import importlib
import pickle
import threading

import pytest
from repository import python, script

import microtorch as torch

# namespace -> its public names that scripts/pytorch_names.txt does not have
BESIDE = {
    "": """Future GradScaler OutOfMemoryError Scalar TypedStorage UntypedStorage _C __config__
        __version__ _assert _assert_async _check _check_is_size _dirichlet_grad _dynamo
        _sample_dirichlet _standard_gamma _standard_gamma_grad accelerator amp autograd backends
        compiler cpu cuda distributed distributions export fft func functional futures fx hub huber
        jit library linalg mps multiprocessing nn onnx opencl optim profiler progress quasirandom
        random return_types serialization set_grad_enabled signal smooth_l1 sparse special summary
        testing types utils version vision xpu""",
    "Tensor": """array celu_ combinations elu_ entr_ fmax_ fmin_ gelu_ gelu_tanh_ hardshrink_
        hardsigmoid_ hardswish_ hardtanh_ huber_ is_view leaky_relu_ logaddexp2_ logaddexp_
        logsigmoid_ maximum_ minimum_ mish_ ndtr_ node origin prelu_ relu6_ scalars selu_ silu_
        smooth_l1_ softplus_ softshrink_ softsign_ threshold_ view_as_complex view_as_real
        xlog1py_""",
    "nn": "functional init utils", "nn.functional": "affine_grid_generator grid_sampler",
    "nn.init": "", "optim": "lr_scheduler swa_utils", "optim.lr_scheduler": "_LRScheduler",
    "autograd": "forward_ad functional grad_mode graph is_grad_enabled", "utils.data": "",
    "linalg": "", "special": "", "testing": "",
}  # fmt: skip
# names of PyTorch's that are here, and not exported
UNEXPORTED = {"": {"newaxis"}, "nn": {"DataParallel"}, "autograd": {"variable"}}
MODULES = tuple(module for module in BESIDE if module != "Tensor")
# what PyTorch's namespace does not have
OURS = {"Scalar", "huber", "opencl", "progress", "smooth_l1", "summary", "vision"}


def public(module):
    if module == "Tensor":  # a name may be there only to say what is absent
        return {n for n in dir(torch.Tensor) if n[0] != "_" and hasattr(torch.Tensor, n)}
    found = importlib.import_module(f"microtorch.{module}".rstrip("."))
    return set(getattr(found, "__all__", ())) or {
        n
        for n, v in vars(found).items()
        if not n.startswith("_") and getattr(v, "__module__", "") == found.__name__
    }


@pytest.mark.parametrize("module", BESIDE)
def test_public_names_are_pinned(module):
    coverage, path = script("coverage"), f"torch.{module}".rstrip(".")
    here = {name for name in coverage.recorded()[path] if coverage.is_here(path, name)}
    assert public(module) - here == set(BESIDE[module].split())
    assert here - public(module) == UNEXPORTED.get(module, set())


def test_every_name_is_there():
    for module in MODULES:
        found = importlib.import_module(f"microtorch.{module}".rstrip("."))
        for name in public(module):
            assert getattr(found, name) is not None or name == "cuda", name
        assert public(module) <= set(dir(found))


def test_star_import():
    names = {}
    exec("from microtorch import *", names)
    assert names["tensor"] is torch.tensor and names["nn"] is torch.nn


@pytest.mark.parametrize(
    "statement",
    [
        "import microtorch.nn as nn", "import microtorch.nn.functional as F",
        "import microtorch.optim as optim",
        "from microtorch import nn, optim, autograd, linalg, cuda",
        "from microtorch.utils.data import DataLoader, Dataset, TensorDataset",
        "from microtorch.optim.lr_scheduler import StepLR",
        "from microtorch.autograd import Function, Variable, grad",
        "from microtorch.autograd.functional import hessian, jacobian",
        "import microtorch.utils.data as data",
        "from microtorch.nn.utils import clip_grad_norm_, parameters_to_vector",
        "import microtorch.backends.cudnn as cudnn",
        "from microtorch.nn import init, Parameter, Module",
        "from microtorch.autograd.function import once_differentiable",
        "from microtorch.testing import assert_close",
        "from microtorch.vision import datasets, transforms",
        "from microtorch import Tensor, Generator, device, dtype, float32, no_grad",
        "from microtorch.functional import istft, pca_lowrank, stft, svd_lowrank",
        "import microtorch.random",
        "from microtorch.nn.parameter import Parameter", "import microtorch.cuda",
    ],
)  # fmt: skip
def test_import_paths(statement):
    exec(statement, {})


def test_no_import_is_needed_for_submodules():
    """`import torch` alone makes torch.nn, torch.optim and the rest available."""
    program = (
        "import microtorch as torch; torch.nn.Linear; torch.optim.SGD; torch.linalg.inv; "
        "torch.utils.data.DataLoader; "
        "torch.nn.functional.relu; torch.optim.lr_scheduler.StepLR; "
        "torch.autograd.functional.hessian; torch.random.fork_rng"
    )
    assert not python("-c", program)


# ---- what scripts touch --------------------------------------------------------------------------
def test_questions_about_the_machine():
    assert torch.cuda.is_available() is False and torch.cuda.device_count() == 0
    assert torch.device("cuda" if torch.cuda.is_available() else "cpu") == torch.device("cpu")
    assert torch.backends.cudnn.is_available() is False
    assert torch.backends.mps.is_available() is False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.cuda.manual_seed_all(0)
    torch.cuda.manual_seed(0)
    torch.cuda.empty_cache()
    with pytest.raises(RuntimeError, match="no CUDA backend"):
        torch.cuda.get_device_name(0)
    assert torch.version.cuda is None and torch.__version__ == torch.version.__version__
    assert torch.version.rocm is torch.version.xpu is None and torch.version.git_version
    assert "numpy" in torch.__config__.show() and "core" in torch.__config__.show()
    assert torch.get_default_device() == torch.device("cpu")
    torch.set_default_device("cpu")
    with pytest.raises(RuntimeError, match="not available"):
        torch.set_default_device("cuda")


def test_each_thread_has_its_own_default_device():
    seen = []
    with torch.device("meta"):
        thread = threading.Thread(target=lambda: seen.append(torch.get_default_device().type))
        thread.start()
        thread.join()
        assert torch.get_default_device().type == "meta"
    assert seen == ["cpu"] and torch.get_default_device().type == "cpu"


def test_questions_about_tensors():
    x = torch.zeros(2, 3)
    assert torch.is_storage(x.untyped_storage()) and not torch.is_storage(x)
    assert torch.is_tensor(x) and not torch.is_tensor([1]) and torch.numel(x) == 6
    assert torch.is_floating_point(x) and not torch.is_complex(x)
    assert not torch.is_nonzero(torch.tensor(0))
    assert torch.typename(x) == "torch.FloatTensor" and torch.typename(3) == "int"
    assert torch.result_type(torch.tensor([1]), 1.0) == torch.float32
    assert torch.promote_types(torch.int64, torch.float16) == torch.float16
    assert torch.can_cast(torch.int64, torch.float32)
    assert not torch.can_cast(torch.float32, torch.int64)
    assert torch.equal(torch.clone(x), x)
    with pytest.raises(TypeError, match="expected a tensor or a number"):
        torch.result_type(x, "a")


def test_settings():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)
    for wrong, why in (
        (0, "a positive integer"),
        (-1, "a positive integer"),
        (1.5, "an int, but got float"),
        (True, "got bool"),
    ):
        with pytest.raises(RuntimeError, match=why):
            torch.set_num_threads(wrong)
    torch.use_deterministic_algorithms(True)
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError):
        torch.set_float32_matmul_precision("low")


def test_default_dtype():
    try:
        torch.set_default_dtype(torch.float64)
        assert (
            torch.zeros(1).dtype
            == torch.tensor(1.0).dtype
            == torch.get_default_dtype()
            == torch.float64
        )
        assert torch.nn.Linear(1, 1).weight.dtype == torch.float64
        with pytest.warns(UserWarning, match="deprecated"):
            torch.set_default_tensor_type("torch.FloatTensor")
        assert torch.get_default_dtype() == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)
    for wrong in (torch.int64, "float64"):
        with pytest.raises(TypeError):
            torch.set_default_dtype(wrong)


def test_assert_close():
    close = torch.testing.assert_close
    close(torch.tensor([1.0]), torch.tensor([1.0 + 1e-6]))
    close({"a": [torch.ones(2), 1]}, {"a": [torch.ones(2), 1]})
    close(torch.tensor([float("nan")]), torch.tensor([float("nan")]), equal_nan=True)
    close(1.0, 1.0 + 1e-9)
    for a, b, text in (
        (torch.ones(2), torch.tensor([1.0, 1.1]),
            r"elements: 1 / 2 \(50.0%\)\nGreatest absolute difference: 0.1\d* at index \(1,\)"),
        (torch.ones(2), torch.ones(3), "'shape' do not match"),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), "'dtype' do not match"),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")]), "not close"),
        ([1, 2], [1], "length of the sequences"),
        ({"a": 1}, {"b": 1}, "keys of the mappings"),
        ([torch.ones(1), torch.ones(1)], [torch.ones(1), torch.zeros(1)], r"item \[1\]"),
        (torch.tensor(2), torch.tensor(3), "Expected 3 but got 2"),
    ):
        with pytest.raises(AssertionError, match=text):
            close(a, b)
    with pytest.raises(AssertionError, match=r"^mine$"):
        close(1, 2, msg="mine")
    with pytest.raises(ValueError, match="rtol and atol"):
        close(1, 2, rtol=0.1)
    with pytest.raises(TypeError):
        close(torch.ones(1), 1.0)


def test_special():
    x = torch.tensor([0.1, 0.5])
    torch.testing.assert_close(torch.special.logit(torch.special.expit(x)), x)
    assert torch.special.logit(torch.tensor([0.0]), eps=0.5).item() == 0


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.filterwarnings("ignore")
def test_names_are_pytorchs():
    pytorch = importlib.import_module("torch")
    assert {n for n in torch.__all__ if not hasattr(pytorch, n)} == OURS


def test_functions_are_pickled_by_the_name_that_users_know():
    F, linalg = torch.nn.functional, torch.linalg
    for f in (torch.tanh, torch.sum, torch.mm, torch.softmax, F.mse_loss, F.dropout, linalg.inv):
        assert pickle.loads(pickle.dumps(f)) is f


def test_assert_close_of_strides_and_classes():
    close, x = torch.testing.assert_close, torch.ones(2, 2)
    close(x, x.t())
    close(x, torch.nn.Parameter(x))
    with pytest.raises(AssertionError, match="stride"):
        close(x, x.t(), check_stride=True)
    with pytest.raises(TypeError):
        close(x, torch.nn.Parameter(x), allow_subclasses=False)
    with pytest.raises(TypeError):
        close("a", "a")
