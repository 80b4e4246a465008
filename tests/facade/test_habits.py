"""What scripts sprinkle in: torch.cuda's questions, flags, hub, onnx, processes."""

import os
import pickle
import warnings

import pytest

import microtorch as torch
from microtorch import nn


def test_cuda_answers_what_needs_no_device():
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.manual_seed_all(0)
    assert torch.cuda.memory_allocated() == torch.cuda.max_memory_allocated(0) == 0
    assert torch.cuda.memory_reserved() == torch.cuda.max_memory_reserved() == 0
    assert torch.cuda.is_bf16_supported() is False and torch.cuda.get_rng_state_all() == []
    with torch.cuda.stream(None), torch.cuda.device(-1), torch.cuda.device_of(torch.ones(1)):
        pass
    first = torch.cuda.device("cuda:1")
    assert first.idx == 1 and torch.cuda.device(torch.device("cuda")).idx == 0
    with pytest.raises(AssertionError, match="not compiled with CUDA"), first:
        pass
    assert not isinstance(torch.ones(1), torch.cuda.FloatTensor)
    with pytest.raises(TypeError, match=r"torch.cuda.FloatTensor not available"):
        torch.cuda.FloatTensor(2)


@pytest.mark.parametrize(
    "name",
    "synchronize get_device_name current_device set_device Event Stream mem_get_info".split(),
)
def test_cuda_refuses_the_rest(name):
    for error in (AssertionError, RuntimeError):  # PyTorch's, in one version or the other
        with pytest.raises(error, match=r"not compiled with CUDA.*\n.*\n.*is_available"):
            getattr(torch.cuda, name)()


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "xpu"])
def test_a_tensor_there_is_refused_in_either_class(device):
    for error in (AssertionError, RuntimeError):  # as above
        with pytest.raises(error, match="Torch not compiled with"):
            torch.zeros(1, device=device)
        with pytest.raises(error, match="Torch not compiled with"):
            nn.Linear(1, 1).to(device)
        for old in (torch.cuda.FloatTensor, "torch.cuda.LongTensor"):
            with pytest.raises(error, match="Torch not compiled with"):
                nn.Linear(1, 1).type(old)


def test_an_accelerator_by_number_and_copies_that_do_not_wait():
    x, net = torch.ones(1), nn.Linear(1, 1)
    for call in (
        lambda: torch.device(0), lambda: x.cuda(1), lambda: x.to(1), lambda: net.cuda(0),
        lambda: torch.zeros(1, device=1), lambda: x.cuda(0, non_blocking=True),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="Cannot access accelerator device"):
            call()
    with pytest.raises(RuntimeError, match="must not be negative"):
        torch.device(-1)
    with pytest.raises(AssertionError, match="not compiled with CUDA"):
        x.cuda(non_blocking=True)
    with pytest.raises(RuntimeError, match="must be cuda device"):
        x.cuda("cpu")
    with pytest.raises(TypeError, match="must be str"):
        torch.device(True)
    with pytest.raises(TypeError, match="'type'"):
        torch.device()
    image = torch.ones(1, 2, 3, 4)
    assert image.cpu(memory_format=torch.channels_last).stride() == (24, 1, 8, 2)
    assert image.is_pinned(device="cuda") is False


def test_names_that_editors_import_from_the_compiled_part():
    from microtorch import _C

    assert _C.Generator is torch.Generator and _C.default_generator is torch.default_generator
    assert _C.dtype is torch.dtype and _C.JITException is torch.jit.Error
    assert not isinstance(torch.ones(1), (_C.Value, _C.ScriptMethod))


def test_inner_names_that_scripts_use():
    import microtorch._dynamo as dynamo

    assert torch._dynamo is dynamo
    dynamo.config.suppress_errors = True
    dynamo.config.a_setting_of_another_version = 3
    import microtorch._inductor.config as inductor

    inductor.triton.unique_kernel_names = inductor.coordinate_descent_tuning = True
    assert torch._dynamo.config.suppress_errors and torch._inductor.config is inductor
    from microtorch._vmap_internals import _vmap

    assert _vmap is torch.vmap
    with (
        pytest.raises(TypeError, match=r"torch.cuda.FloatTensor not available"),
        pytest.warns(UserWarning, match="deprecated"),
    ):
        torch.set_default_tensor_type("torch.cuda.FloatTensor")
    assert dynamo.allow_in_graph(len) is len and dynamo.disable(len) is len
    dynamo.reset()
    dynamo.graph_break()
    assert dynamo.list_backends() == ["inductor"]
    assert dynamo.list_backends(None) == ["eager", "inductor"]
    with pytest.raises(AttributeError, match=r"torch\._dynamo"):
        dynamo.something_else  # noqa: B018
    from microtorch._dynamo.eval_frame import OptimizedModule

    compiled = torch.compile(torch.nn.Sequential(torch.nn.Tanh()))
    assert isinstance(compiled, OptimizedModule) and OptimizedModule is dynamo.OptimizedModule
    assert repr(compiled) == (
        "OptimizedModule(\n  (_orig_mod): Sequential(\n    (0): Tanh()\n  )\n)"
    )
    with pytest.raises(torch._C._LinAlgError):
        torch.linalg.inv(torch.zeros(2, 2))
    with torch.backends.cuda.sdp_kernel(enable_flash=False):
        assert not torch.backends.cuda.flash_sdp_enabled()
        assert torch.backends.cuda.math_sdp_enabled()
    assert torch.backends.cuda.flash_sdp_enabled()


def test_a_module_without_tensors_goes_anywhere():
    for module in (torch.nn.CrossEntropyLoss(), torch.nn.Sequential(torch.nn.ReLU())):
        assert module.cuda() is module.cuda(0) is module.to("cuda:1") is module
        assert module.to(torch.device("cuda")) is module
        with pytest.raises(RuntimeError, match="device type"):
            module.to("nowhere")
    for module in (torch.nn.Linear(2, 3), torch.nn.CrossEntropyLoss(torch.ones(2))):
        with pytest.raises(AssertionError, match="not compiled with CUDA"):
            module.cuda()


def test_devices_and_compilers_that_are_not_here_answer():
    for device in (torch.mps, torch.xpu):
        assert not device.is_available() and device.device_count() == 0
        device.empty_cache()
        device.manual_seed(0)
        with pytest.raises(RuntimeError, match="no such device"):
            device.synchronize()
    assert not torch.compiler.is_compiling() and torch.compiler.disable(len) is len
    assert torch.compiler.disable()(len) is torch.compiler.allow_in_graph(len) is len


def test_a_kernel_of_attention_is_chosen_and_forgotten():
    from microtorch.nn.attention import SDPBackend, sdpa_kernel

    x = torch.ones(1, 1, 2, 3)
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        assert nn.functional.scaled_dot_product_attention(x, x, x).shape == x.shape
        assert not torch.backends.cuda.mem_efficient_sdp_enabled()
        assert torch.backends.cuda.flash_sdp_enabled()
    assert torch.backends.cuda.mem_efficient_sdp_enabled()
    with pytest.raises(AssertionError, match="instance of SDPBackend"), sdpa_kernel("math"):
        pass


def test_flags_are_remembered():
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = True
    with torch.backends.cudnn.flags(enabled=False):
        pass
    assert not torch.backends.mkl.is_available() and not torch.backends.openmp.is_available()
    assert not torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.get_deterministic_debug_mode() == 1
    finally:
        torch.set_deterministic_debug_mode("default")
    assert torch.get_deterministic_debug_mode() == 0
    with pytest.raises(RuntimeError, match="invalid value of debug_mode"):
        torch.set_deterministic_debug_mode("never")


def test_the_hub_reads_files_that_are_there(tmp_path, monkeypatch):
    from microtorch.files import fetched

    monkeypatch.setattr(fetched, "_chosen", [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    assert torch.hub.get_dir() == str(tmp_path / "cache" / "torch" / "hub")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert torch.hub.get_dir() == str(tmp_path / "hub")
    url = "https://somewhere.org/models/tiny-0123abcd.pth?download=true"
    with pytest.raises(FileNotFoundError, match=r"hub.checkpoints.tiny-0123abcd\.pth is not there"):
        torch.hub.load_state_dict_from_url(url, progress=True)
    torch.hub.set_dir(tmp_path / "other")
    folder = tmp_path / "other" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(nn.Linear(2, 1).state_dict(), folder / "tiny-0123abcd.pth")
    assert [*torch.hub.load_state_dict_from_url(url, map_location="cpu")] == ["weight", "bias"]
    (folder / "tiny-0123abcd.pth").rename(tmp_path / "mine.pth")
    found = torch.hub.load_state_dict_from_url(url, tmp_path, file_name="mine.pth")
    assert found["weight"].shape == (1, 2)


def test_what_is_not_here_says_the_way_out():
    with pytest.raises(NotImplementedError, match=r"torch.hub.load\(\).*\n.*\n.*clone"):
        torch.hub.load("pytorch/vision", "resnet18")
    from microtorch.utils import model_zoo

    with pytest.raises(FileNotFoundError, match=r"fetch(.|\n)*torch.load"):
        model_zoo.load_url("http://x/y.pth")
    with pytest.raises(TypeError, match="needs a file"):
        torch.onnx.export(nn.Linear(1, 1), torch.ones(1, 1))
    with pytest.raises(AttributeError, match="microtorch doctor"):
        torch.utils.collect_env  # noqa: B018


def test_older_habits():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        v = torch.autograd.Variable(torch.ones(2), volatile=True)
    assert not v.requires_grad
    assert torch.ones(2).type(torch.DoubleTensor).dtype is torch.float64
    assert torch.ones(2).new(3).shape == (3,)
    assert torch.ones(6).resize_(2, 3).shape == (2, 3)


def _good(rank, folder):
    with open(os.path.join(folder, str(rank)), "w") as file:
        file.write(str(float(torch.ones(2).sum()) + rank))


def _bad(rank):
    if rank == 1:
        raise ValueError("no such rank")


def test_processes(tmp_path):
    from microtorch import multiprocessing as mp

    mp.start_processes(_good, (str(tmp_path),), nprocs=2, start_method="fork")
    assert [(tmp_path / n).read_text() for n in "01"] == ["2.0", "3.0"]
    with pytest.raises(mp.ProcessRaisedException, match=r"Process 1(.|\n)*no such rank"):
        mp.start_processes(_bad, nprocs=2, start_method="fork")
    queue = mp.get_context("fork").Queue()
    queue.put(torch.arange(3))
    assert queue.get(timeout=10).tolist() == [0, 1, 2]
    queue.close()
    assert mp.cpu_count() >= 1 and mp.get_sharing_strategy() in mp.get_all_sharing_strategies()


def test_the_classes_of_results():
    x = torch.ones(2, 2)
    kinds = torch.return_types
    assert isinstance(torch.max(x, 0), kinds.max)
    assert type(torch.linalg.eigh(x)) is kinds.linalg_eigh and type(torch.svd(x)) is kinds.svd
    assert not isinstance(torch.min(x, 0), kinds.max)
    with pytest.warns(UserWarning, match="deprecated in favor of"):
        older, pair = torch.qr(x), torch.lu(torch.eye(2))
    assert type(older) is kinds.qr and type(x.slogdet()) is kinds.slogdet and type(pair) is tuple
    assert type(torch.lu_unpack(*pair)) is kinds.lu_unpack
    assert repr(x.slogdet()).startswith("torch.return_types.slogdet(")
    assert type(x.untyped_storage()) is torch.UntypedStorage
    for pair in (x.sort(0), torch.mode(x), torch.aminmax(x), torch.linalg.eigh(x), older):
        assert type(pickle.loads(pickle.dumps(pair))) is type(pair)


def test_the_cpu_is_a_device():
    assert torch.cpu.is_available() and torch.cpu.device_count() == 1
    torch.cpu.synchronize()
    with pytest.warns(FutureWarning, match="torch.amp.autocast"), torch.cpu.amp.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16
    torch._check(True)
    with pytest.raises(RuntimeError, match="no"):
        torch._check(False, lambda: "no")
    torch._check_is_size(0)
    torch._assert_async(torch.tensor([2.0]))
    for fails, said in (
        (lambda: torch._check_is_size(-1), "to be True"),
        (lambda: torch._check_is_size(3, max=2), "to be True"),
        (lambda: torch._assert_async(torch.tensor(False)), "single nonzero value, but got zero"),
        (lambda: torch._assert_async(torch.tensor(0), "below zero"), "below zero"),
        (lambda: torch._assert_async(torch.ones(2)), "more than one value is ambiguous"),
    ):
        with pytest.raises(RuntimeError, match=said):
            fails()
    assert torch._C._get_tracing_state() is None
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
