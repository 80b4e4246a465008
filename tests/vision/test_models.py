"""The models have torchvision's parameters, numbers for a seed, and outputs (torchvision 0.28)."""

import hashlib
import inspect
import json
import pickle
import sys

import pytest

import microtorch as torch
from microtorch.vision import models
from microtorch.vision.models.weight_files import FILES

# parameters, entries, MD5 of names and shapes, outputs for a picture, the next random number
EXPECTED = {
    "resnet18": (
        11689512, 122, "c24ab915f6debe568b213e7223439d0c",
        [0.22353770, 0.28194678, -0.20237458], 0.33526999,
    ),
    "mobilenet_v2": (
        3504872, 314, "cd259a5d175a92841de988b2f43cd513",
        [5.4864842e-11, -1.3347304e-10, -1.3190712e-10], 0.52497762,
    ),
    "squeezenet1_1": (
        1235496, 52, "968ed4d8811f629ff3bbeee9dca04875",
        [0.09657983, 0.09424353, 0.07317752], 0.37777829,
    ),
    "densenet121": (
        7978856, 727, "fd3f4ca49d53210cb15ca7c8d250c01c",
        [-0.03746036, -0.14238486, -0.26749158], 0.98385108,
    ),
}  # fmt: skip


def digest(model):
    shapes = [[name, list(value.shape)] for name, value in model.state_dict().items()]
    return len(shapes), hashlib.md5(json.dumps(shapes).encode()).hexdigest()


@pytest.mark.parametrize("name", EXPECTED)
def test_as_in_torchvision(name):
    count, entries, names, outputs, following = EXPECTED[name]
    assert f": {count:,} parameters" in getattr(models, name).__doc__
    torch.manual_seed(0)
    model = models.get_model(name)
    assert sum(p.numel() for p in model.parameters()) == count
    assert digest(model) == (entries, names)
    torch.rand(2, 3, 224, 224)  # drawn when the numbers were recorded
    size = 96 if name.startswith("squeeze") else 64
    with torch.no_grad():
        made = model.eval()(torch.rand(1, 3, size, size))
    assert made.shape == (1, 1000)
    assert made[0, :3].tolist() == pytest.approx(outputs, rel=2e-5)
    assert torch.rand(1).item() == pytest.approx(following, rel=1e-6)


def test_functions_of_models_are_those_of_their_modules():
    assert set(FILES) <= {*models.__all__, *models.segmentation.__all__}
    for name in models.list_models(models):
        make = getattr(models, name)
        assert pickle.loads(pickle.dumps(make)) is make and make.__name__ == name
        assert getattr(sys.modules[make.__module__], name) is make
        assert list(inspect.signature(make).parameters)[:2] in (
            ["weights", "progress"], ["num_classes"],  # LeNet's
        )  # fmt: skip


def test_vgg_has_torchvisions_layers():
    from microtorch.vision.models import vgg

    names = [f"{i}.{part}" for i in (0, 3, 6, 8, 11, 13, 16, 18) for part in ("weight", "bias")]
    assert list(vgg.convolutions(vgg.STAGES[11], False).state_dict()) == names
    norm = vgg.convolutions(vgg.STAGES[16], True).state_dict()
    assert len(norm) == 13 * 7 and list(norm)[-1] == "41.num_batches_tracked"


def test_relatives_of_resnet():
    basic = models.resnet.BasicBlock
    net = models.ResNet(basic, [1, 1, 1, 1], num_classes=10, zero_init_residual=True)
    assert net.layer1[0].bn2.weight.abs().max().item() == 0 and net.fc.weight.shape == (10, 512)
    blocks = models.resnet.ResNet(
        models.resnet.Bottleneck, [1, 1, 1, 1], 5, groups=32, width_per_group=4,
        replace_stride_with_dilation=[False, True, True],
    )  # fmt: skip
    assert blocks.layer1[0].conv2.weight.shape == (128, 4, 3, 3)
    assert blocks.layer4[0].conv2.dilation == (2, 2)
    x = torch.rand(2, 3, 33, 33, requires_grad=True)
    blocks(x).sum().backward()
    assert x.grad.abs().sum().item() > 0


def test_lenet_learns_digits():
    from microtorch.vision import datasets, transforms

    data = datasets.DigitsAsMNIST(transform=transforms.ToTensor())
    torch.manual_seed(0)
    net = models.lenet()
    assert sum(p.numel() for p in net.parameters()) == 61706
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True)
    for _ in range(3):
        for images, labels in loader:
            loss = torch.nn.functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    test = datasets.DigitsAsMNIST(train=False, transform=transforms.ToTensor())
    images, labels = next(iter(torch.utils.data.DataLoader(test, batch_size=449)))
    with torch.no_grad():
        assert (net(images).argmax(1) == labels).float().mean().item() > 0.85


def test_pretrained_weights_are_refused_or_read(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for ask in (
        lambda: models.squeezenet1_1(weights="DEFAULT"),
        lambda: models.squeezenet1_1(pretrained=True),
        lambda: models.squeezenet1_1(True),
        lambda: models.squeezenet1_1(weights=models.SqueezeNet1_1_Weights.IMAGENET1K_V1),
    ):
        with pytest.raises(FileNotFoundError, match=r"squeezenet1_1-b8a52dc0\.pth") as error:
            ask()
        assert str(tmp_path / "hub/checkpoints") in str(error.value)
    assert models.ResNet50_Weights.DEFAULT.url.endswith("resnet50-11ad3fa6.pth")
    with pytest.raises(ValueError, match="'num_classes' expected value 1000 but got 10"):
        folder = tmp_path / "hub/checkpoints"
        folder.mkdir(parents=True)
        (folder / "resnet18-f37072fd.pth").touch()
        models.resnet18(weights="DEFAULT", num_classes=10)
    with pytest.raises(ValueError, match="has no weights 'V7'"):
        models.resnet18(weights="V7")
    torch.manual_seed(1)
    net = models.squeezenet1_1(pretrained=False)
    torch.save(net.state_dict(), folder / "squeezenet1_1-b8a52dc0.pth")
    again = models.squeezenet1_1(weights="IMAGENET1K_V1")
    assert all(map(torch.equal, net.state_dict().values(), again.state_dict().values()))


def test_names():
    assert "resnet18" in models.list_models()
    names = models.list_models(models, include="resnet*", exclude=["*101", "*152"])
    assert names == ["resnet18", "resnet34", "resnet50"]
    assert "resnet18" not in models.list_models(models.segmentation)
    with pytest.raises(ValueError, match="there are alexnet"):
        models.get_model("resnet19")
    with pytest.raises(AttributeError, match="part of torchvision, but not of microtorch"):
        _ = models.maxvit_t
    assert models.EfficientNet_B1_Weights.IMAGENET1K_V1.transforms().crop_size == [240]
    halves = models.EfficientNet_V2_L_Weights.DEFAULT.transforms()
    assert halves.mean == [0.5] * 3 and halves.interpolation.value == "bicubic"
    assert models.ViT_H_14_Weights.DEFAULT.name == "IMAGENET1K_SWAG_E2E_V1"
    with pytest.raises(AttributeError, match="resnet18"):
        _ = models.resnet17


def test_parts_of_densenet_are_called_as_in_torchvision():
    kinds = {type(m).__name__ for m in models.densenet121().modules()}
    assert {"_DenseBlock", "_DenseLayer", "_Transition"} <= kinds
