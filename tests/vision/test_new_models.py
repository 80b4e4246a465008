"""Families whose models are large: their keys and sizes, and small ones beside torchvision 0.28."""

import warnings

import pytest
from test_models import digest

import microtorch as torch
from microtorch import nn
from microtorch.vision import models
from microtorch.vision.models import convnext as C
from microtorch.vision.models import efficientnet as E
from microtorch.vision.models import inception as I
from microtorch.vision.models import swin_transformer as S
from microtorch.vision.models import vision_transformer as V

# parameters, entries, MD5 of names and shapes
FULL = {
    "convnext_tiny": (28589128, 182, "f85ddfbdda4d59b8753781d45dc81475"),
    "efficientnet_b1": (7794184, 508, "8d6b65fc8a07b53394022ab404d20ff3"),
    "efficientnet_v2_s": (21458488, 782, "590afb4334fe518244b76f77898622a6"),
    "googlenet": (13004888, 364, "7a2177ed1928dc267d278e0208346402"),
    "inception_v3": (27161264, 580, "8d36f6a781e23f52e5f78fc9d572674d"),
    "mnasnet0_75": (3170208, 314, "aca1a36c892cac0fea22c896460963e9"),
    "mobilenet_v3_large": (5483032, 312, "ad4ba975c17c80cbf21d44e91fe91bfb"),
    "regnet_x_400mf": (5495976, 428, "7dc1945cb396ddcdaec6aa6a45e47463"),
    "regnet_y_400mf": (4344144, 384, "b86edf4e4a60f448ff8140e59a0ce401"),
    "shufflenet_v2_x1_0": (2278604, 338, "1da9c7c85ae9a64f19ec38847d3a106d"),
    "swin_t": (28288354, 185, "b32dddb2d59228e5cdebe0a37dc363af"),
    "swin_v2_t": (28351570, 233, "26fe1f1260a1dda6bd8326d2ef6ef9b9"),
    "vit_b_32": (88224232, 152, "829896514338933e088a0f84bfa974e3"),
}
V2 = {"block": S.SwinTransformerBlockV2, "downsample_layer": S.PatchMergingV2}
STEM = [V.ConvStemConfig(4, 3, 2), V.ConvStemConfig(8, 3, 2), V.ConvStemConfig(8, 3, 2)]
# what is made; (channels, size) of two pictures; two outputs, their mean, the next random number
SMALL = {
    "convnext": (
        lambda: C.ConvNeXt(
            [C.CNBlockConfig(8, 16, 1), C.CNBlockConfig(16, None, 2)], layer_scale=0.5,
            num_classes=5,
        ), (3, 32), (0.0475178, -0.0045526, -0.005768, 0.0561931),
    ),
    "swin": (
        lambda: S.SwinTransformer([2, 2], 8, [2, 2], [2, 4], [4, 4], num_classes=5),
        (3, 33), (-0.0165887, -0.0387505, 0.029947, 0.1895055),
    ),
    "swin_v2": (
        lambda: S.SwinTransformer([2, 2], 8, [2, 2], [2, 4], [4, 3], num_classes=5, **V2),
        (3, 33), (-0.065143, 0.0136768, -0.0196149, 0.294166),
    ),
    "vit": (
        lambda: V.VisionTransformer(
            32, 8, 2, 2, 16, 32, representation_size=12, num_classes=5, conv_stem_configs=STEM
        ), (3, 32), (1.7957082, 0.5268862, -0.0129107, 0.9458376),
    ),
    "efficientnet_v2": (
        lambda: E.EfficientNet(
            [E.FusedMBConvConfig(1, 3, 1, 8, 8, 1), E.FusedMBConvConfig(4, 3, 2, 8, 16, 1),
             E.MBConvConfig(4, 3, 2, 16, 24, 2)], 0.2, num_classes=5,
        ), (3, 32), (0.0061589, 0.0029097, 0.0012596, 0.9229262),
    ),
    "InceptionA": (
        lambda: I.InceptionA(8, 4), (8, 9), (0.0448318, 0.1835561, 0.0596707, 0.3631477)
    ),
    "InceptionB": (lambda: I.InceptionB(8), (8, 9), (0.0, 0.0, 0.1289552, 0.4874321)),
    "InceptionC": (lambda: I.InceptionC(8, 4), (8, 9), (0.0, 0.0, 0.0682792, 0.5875901)),
    "InceptionD": (lambda: I.InceptionD(8), (8, 9), (0.0, 0.0, 0.0475768, 0.3652636)),
    "InceptionE": (lambda: I.InceptionE(8), (8, 9), (0.0, 0.0, 0.0575043, 0.8733453)),
    "InceptionAux": (
        lambda: I.InceptionAux(8, 3), (8, 17), (0.002931, -0.0690623, -0.001371, 0.0492051)
    ),
}  # fmt: skip


@pytest.fixture
def without_numbers(monkeypatch):
    """Models are made without drawing their numbers."""
    for name in dir(nn.init):
        if name.endswith("_") and not name.startswith("_"):
            monkeypatch.setattr(nn.init, name, lambda tensor, *args, **kwargs: tensor)


@pytest.mark.parametrize("name", FULL)
def test_keys_and_shapes(name, without_numbers):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of googlenet and inception_v3
        model = models.get_model(name)
    count, *keys = FULL[name]
    assert sum(p.numel() for p in model.parameters()) == count and digest(model) == tuple(keys)


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_give_torchvisions_numbers(name):
    make, (channels, size), wanted = SMALL[name]
    torch.manual_seed(0)
    model = make().eval()
    x = torch.rand(2, channels, size, size)
    if name == "vit":
        torch.nn.init.normal_(model.heads.head.weight)
    with torch.no_grad():
        y = model(x)
    found = [*y.flatten()[:2].tolist(), y.double().mean().item(), torch.rand(1).item()]
    assert found == pytest.approx(wanted, rel=2e-5, abs=1e-6)


def test_in_training():
    with pytest.warns(FutureWarning, match="init_weights=True"):
        net = models.googlenet(num_classes=3)
    out = net(torch.rand(2, 3, 64, 64))
    assert out._fields == ("logits", "aux_logits2", "aux_logits1") and out.logits.shape == (2, 3)
    assert models.googlenet(aux_logits=False, init_weights=False).aux1 is None
    with pytest.raises(AssertionError, match="Expected 32 but got 40"):
        SMALL["vit"][0]()(torch.rand(1, 3, 32, 40))
    kept = torch.vision.ops.StochasticDepth(0.5, "row")(torch.ones(64, 2))
    assert set(kept.flatten().tolist()) == {0.0, 2.0} and (kept[:, 0] == kept[:, 1]).all()


def test_positions_for_another_size():
    small, large = (V.VisionTransformer(n, 8, 1, 2, 8, 8, num_classes=2) for n in (16, 32))
    state = V.interpolate_embeddings(32, 8, small.state_dict(), reset_heads=True)
    missing, unexpected = large.load_state_dict(state, strict=False)
    assert missing == ["heads.head.weight", "heads.head.bias"] and not unexpected
    ends = large.encoder.pos_embedding[0, [1, 4, 13, 16]]
    assert torch.allclose(ends, small.encoder.pos_embedding[0, 1:], atol=1e-6)  # the corners stay


# parameters, entries, MD5 of names and shapes
SEGMENTATION = {
    "deeplabv3_mobilenet_v3_large": (11025040, 360, "4c40d86f9c5c64f0708f526ddf43bf8e"),
    "lraspp_mobilenet_v3_large": (3221538, 319, "2555397cabfbf2783d966b7d28050c8e"),
}


@pytest.mark.parametrize("name", SEGMENTATION)
def test_segmentation_has_torchvisions_keys(without_numbers, name):
    options = {"num_classes": 5, "aux_loss": True} if name.startswith("deep") else {}
    net = models.get_model(name, weights_backbone=None, **options)
    parameters, entries, md5 = SEGMENTATION[name]
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert digest(net) == (entries, md5)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        made = net.eval()(torch.ones(1, 3, 33, 40))
    assert list(made) == (["out", "aux"] if options else ["out"])
    assert made["out"].shape == (1, options.get("num_classes", 21), 33, 40)


def test_a_segmentation_head_and_its_numbers():
    from microtorch.vision.models import segmentation

    torch.manual_seed(0)
    head = segmentation.deeplabv3.DeepLabHead(8, 3, (2, 3)).eval()
    out = head(torch.rand(1, 8, 9, 9))
    assert [round(v.item(), 5) for v in (out.mean(), out.std())] == [-0.0383, 0.02553]
    weights = segmentation.FCN_ResNet50_Weights.DEFAULT
    assert weights.url.endswith("fcn_resnet50_coco-1167a1af.pth")
    picture = torch.zeros(3, 26, 52, dtype=torch.uint8)
    assert weights.transforms()(picture).shape == (3, 520, 1040)
    with pytest.raises(FileNotFoundError, match="does not fetch pretrained weights"):
        segmentation.fcn_resnet50(weights="DEFAULT")


def test_weights_by_name():
    from microtorch.vision.models.resnet import ResNet18_Weights, resnet18
    from microtorch.vision.models.vgg import VGG16_Weights

    assert len(models.ResNet50_Weights) == 2 and next(iter(VGG16_Weights)).name[-2:] == "V1"
    assert models.get_weight("ResNet50_Weights.DEFAULT").name == "IMAGENET1K_V2"
    assert models.get_model_weights(resnet18)["DEFAULT"].url == ResNet18_Weights.DEFAULT.url
    assert models.get_model_builder("ResNet18") is resnet18
    for name in ("ResNet50", "ResNet50_Weights.V9", "Other_Weights.DEFAULT"):
        with pytest.raises(ValueError, match="weight"):
            models.get_weight(name)
    with pytest.raises(FileNotFoundError, match="resnet18-f37072fd"):
        ResNet18_Weights.DEFAULT.get_state_dict(progress=True)
