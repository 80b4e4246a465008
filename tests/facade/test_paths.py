"""Import paths: PyTorch's, and ours of earlier versions, lead to the module that has the names."""

import importlib
from pathlib import Path

import pytest
from repository import python

import microtorch
from microtorch.facade.paths import PATHS, PYTORCH

# What PyTorch 2.13 has under these paths, as far as microtorch has it anywhere; what ours had.
NAMES = {
    "nn.modules": "Module Sequential ModuleList Linear Conv2d LSTM CrossEntropyLoss LayerNorm",
    "nn.modules.activation": "ReLU LeakyReLU PReLU GELU Softmax Tanhshrink MultiheadAttention",
    "nn.modules.batchnorm": "BatchNorm1d BatchNorm3d _BatchNorm SyncBatchNorm LazyBatchNorm2d",
    "nn.modules.container": "Sequential ModuleList ModuleDict ParameterList ParameterDict",
    "nn.modules.conv": "Conv1d Conv3d ConvTranspose2d LazyConv2d _ConvNd _ConvTransposeNd",
    "nn.modules.dropout": "Dropout Dropout1d Dropout2d _DropoutNd",
    "nn.modules.flatten": "Flatten Unflatten",
    "nn.modules.fold": "Fold Unfold",
    "nn.modules.instancenorm": "InstanceNorm1d InstanceNorm2d _InstanceNorm",
    "nn.modules.linear": "Linear Bilinear Identity NonDynamicallyQuantizableLinear",
    "nn.modules.loss": "CrossEntropyLoss NLLLoss CTCLoss TripletMarginLoss _Loss _WeightedLoss",
    "nn.modules.module": "Module _addindent _IncompatibleKeys",
    "nn.modules.normalization": "LayerNorm GroupNorm RMSNorm LocalResponseNorm",
    "nn.modules.pooling": "MaxPool1d MaxPool2d AvgPool2d AdaptiveAvgPool2d AdaptiveMaxPool2d",
    "nn.modules.rnn": "RNNBase RNN LSTM GRU RNNCellBase RNNCell LSTMCell GRUCell",
    "nn.modules.sparse": "Embedding",
    "nn.modules.transformer": "TransformerEncoder TransformerEncoderLayer",
    "nn.modules.utils": "_pair _ntuple consume_prefix_in_state_dict_if_present",
    "types": "Number Device Tensor _size _dtype _int",
    "_tensor": "Tensor",
    "_utils": "_flatten_dense_tensors _unflatten_dense_tensors",
    "distributed.nn": "all_gather all_reduce broadcast",
    "utils.tensorboard.writer": "SummaryWriter",
    "vision.io.image": "ImageReadMode read_image decode_image",
    "vision.transforms.autoaugment": "AutoAugment AutoAugmentPolicy RandAugment",
    "autograd.anomaly_mode": "detect_anomaly set_detect_anomaly",
    "functional": "einsum norm meshgrid cdist unique atleast_1d broadcast_tensors",
    "nn.parallel.scatter_gather": "scatter gather",
    "futures": "Future collect_all wait_all",
    "jit.annotations": "List Dict Tuple Optional",
    "hub": "HASH_REGEX urlparse",
    "nn.utils.clip_grad": "clip_grad_norm_ clip_grad_value_ get_total_norm",
    "nn.utils.convert_parameters": "parameters_to_vector vector_to_parameters",
    "optim.adadelta": "Adadelta",
    "optim.adagrad": "Adagrad",
    "optim.adamw": "AdamW",
    "optim.rmsprop": "RMSprop",
    "serialization": "save load MAP_LOCATION",
    "utils.data._utils": "collate",
    "utils.data._utils.collate": "default_collate default_convert",
    "data": "DataLoader Dataset TensorDataset RandomSampler random_split default_collate",
    "data.collate": "default_collate default_convert",
    "data.dataset": "Dataset IterableDataset TensorDataset Subset ConcatDataset random_split",
    "data.loader": "DataLoader",
    "data.sampler": "Sampler RandomSampler BatchSampler WeightedRandomSampler",
    "nn.activations": "ReLU PReLU Softmax Dropout Dropout2d Flatten Unflatten",
    "nn.attention": "SDPBackend sdpa_kernel MultiheadAttention NonDynamicallyQuantizableLinear",
    "nn.conv": "Conv1d Conv2d ConvTranspose2d Fold Unfold",
    "nn.layer_functions": "dropout1d dropout2d scaled_dot_product_attention",
    "nn.linear": "Linear Bilinear Identity",
    "nn.loss_functions": "cross_entropy nll_loss mse_loss",
    "nn.losses": "CrossEntropyLoss NLLLoss MSELoss",
    "nn.normalization": "BatchNorm1d LayerNorm GroupNorm InstanceNorm2d RMSNorm",
    "nn.pooling": "MaxPool2d AvgPool1d",
    "nn.recurrence": "LSTM GRU Sequence",
    "nn.rnn": "RNN LSTM GRU RNNCell LSTMCell GRUCell",
    "nn.sparse": "Embedding",
    "nn.transformer": "TransformerEncoder TransformerEncoderLayer",
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_the_module_of_its_row(path):
    module = importlib.import_module(f"microtorch.{path}")
    assert module is importlib.import_module(f"microtorch.{PATHS[path]}")
    assert module.__spec__.name == module.__name__  # its own name, not the one it was asked for by
    missing = [name for name in NAMES.get(path, "").split() if not hasattr(module, name)]
    assert not missing


def test_every_row_is_written_out_above():
    assert set(NAMES) <= set(PATHS)


def test_no_row_hides_a_file():
    """A row for a name that is a real module would keep the modules below it from being found."""
    folder = Path(microtorch.__file__).parent
    real = [name for name in PATHS if (folder / Path(*name.split("."))).is_dir()
            or (folder / Path(*name.split("."))).with_suffix(".py").is_file()]  # fmt: skip
    assert not real


def test_what_is_there_under_pytorchs_name_needs_no_row():
    for path in ("nn.functional", "nn.init", "nn.parameter", "optim.sgd", "optim.adam",
                 "optim.optimizer", "optim.lr_scheduler", "utils.data.dataloader",
                 "utils.data.dataset", "utils.data.sampler", "autograd.function"):  # fmt: skip
        importlib.import_module(f"microtorch.{path}")


@pytest.mark.parametrize("name", ["nn.modules.nothing", "nn.modules.losses", "data.nothing"])
def test_a_name_below_a_row_needs_a_row_of_its_own(name):
    """nn/layers/losses.py must not be loaded a second time as nn.modules.losses."""
    with pytest.raises(ModuleNotFoundError, match=name) as caught:
        importlib.import_module(f"microtorch.{name}")
    assert caught.value.name == f"microtorch.{name}"


def test_attributes_after_an_import():
    program = (
        "import microtorch.nn.modules.linear\n"
        "import microtorch.utils.data._utils.collate\n"
        "import microtorch as torch\n"
        "print(microtorch.nn.modules.linear.Linear is torch.nn.Linear)\n"
        "print(torch.utils.data._utils.collate.default_collate is torch.utils.data.default_collate)"
    )
    assert python("-c", program).split() == ["True", "True"]


def test_modules_is_there_without_an_import():
    program = (
        "import microtorch as torch\n"
        "layer = torch.nn.BatchNorm2d(3)\n"
        "print(isinstance(layer, torch.nn.modules.batchnorm._BatchNorm))"
    )
    assert python("-c", program) == "True\n"


def test_nothing_is_loaded_before_it_is_asked_for():
    program = (
        "import sys, microtorch\n"
        "print(*[name for name in sys.modules if name.startswith('microtorch.nn')"
        " or name.startswith('microtorch.utils') or name.startswith('microtorch.optim')])"
    )
    assert python("-c", program) == "\n"


@pytest.mark.parametrize("prefix", ["microtorch", "torch"])
def test_no_path_changes_what_a_public_name_means(prefix, tmp_path):
    """An import binds the module in the package above: not over a function or a class there."""
    script = tmp_path / "script.py"
    script.write_text(
        "import importlib, sys, types\n"
        "torch = importlib.import_module(sys.argv[1])\n"
        "before = {name: getattr(torch, name) for name in torch.__all__}\n"
        "for path in sys.argv[2:]:\n"
        "    importlib.import_module(f'{sys.argv[1]}.{path}')\n"
        "print([name for name in torch.__all__ if getattr(torch, name) is not before[name]])\n"
    )
    if prefix == "torch":
        assert python("-m", "microtorch", "run", script, prefix, *PYTORCH) == "[]\n"
    else:
        assert python(script, prefix, *PATHS) == "[]\n"


def test_scripts_for_pytorch_may_use_its_paths(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import torch.nn.modules\n"
        "from torch.nn.modules.linear import Linear\n"
        "from torch.nn.modules.module import Module\n"
        "from torch.nn.utils.clip_grad import clip_grad_norm_\n"
        "from torch.utils.data._utils.collate import default_collate\n"
        "from torch.serialization import load\n"
        "try:\n"
        "    import torch.nn.modules.nothing\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error.name)\n"
        "print(Linear is torch.nn.Linear, torch.nn.modules.conv._ConvNd.__name__,\n"
        "      issubclass(Linear, Module))\n"
    )
    out = python("-m", "microtorch", "run", script).split()
    assert out == ["torch.nn.modules.nothing", "True", "_ConvNd", "True"]


def test_a_path_is_an_attribute_too():
    """torch.autograd.profiler.profile(): nobody imports it first."""
    paths = (
        "autograd.profiler amp.grad_scaler nn.utils.clip_grad optim._adafactor nn.modules.utils "
        "utils.data._utils distributed.algorithms vision.transforms.transforms cuda.random"
    )
    found = python(
        "-c",
        "import sys, operator, microtorch, microtorch.vision\n"
        "for p in sys.argv[1:]: print(operator.attrgetter(p)(microtorch).__name__)",
        *paths.split(),
    )
    assert found.split() == [f"microtorch.{PATHS[path]}" for path in paths.split()]


@pytest.mark.parametrize(
    "path", ["compiler", "random", "nn.parallel", "utils", "types"]
)
def test_a_module_speaks_of_what_it_lacks_under_the_path_of_pytorch(path):
    module = importlib.import_module(f"microtorch.{path}")
    with pytest.raises(AttributeError, match=f"^module 'torch.{path}' has no attribute 'lack'"):
        module.lack  # noqa: B018
    assert not hasattr(module, "__wrapped__")
