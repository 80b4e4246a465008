"""Which files of weights there are: torchvision's, and what makes a picture fit for them.

A row: model, version (after IMAGENET1K_, or COCO: those of segmentation), file, the size that a
picture is made, the size cut out of its middle (0: all of it), and what is unusual: resized by
"bicubic", or with "halves" as mean and deviation.
"""

from __future__ import annotations

from typing import NamedTuple

ROWS = """
alexnet V1 alexnet-owt-7be5be79 256 224
convnext_base V1 convnext_base-6075fbad 232 224
convnext_large V1 convnext_large-ea097f82 232 224
convnext_small V1 convnext_small-0c510722 230 224
convnext_tiny V1 convnext_tiny-983f1562 236 224
densenet121 V1 densenet121-a639ec97 256 224
densenet161 V1 densenet161-8d451a50 256 224
densenet169 V1 densenet169-b2777c0a 256 224
densenet201 V1 densenet201-c1103571 256 224
efficientnet_b0 V1 efficientnet_b0_rwightman-7f5810bc 256 224 bicubic
efficientnet_b1 V1 efficientnet_b1_rwightman-bac287d4 256 240 bicubic
efficientnet_b1 V2 efficientnet_b1-c27df63c 255 240
efficientnet_b2 V1 efficientnet_b2_rwightman-c35c1473 288 288 bicubic
efficientnet_b3 V1 efficientnet_b3_rwightman-b3899882 320 300 bicubic
efficientnet_b4 V1 efficientnet_b4_rwightman-23ab8bcd 384 380 bicubic
efficientnet_b5 V1 efficientnet_b5_lukemelas-1a07897c 456 456 bicubic
efficientnet_b6 V1 efficientnet_b6_lukemelas-24a108a5 528 528 bicubic
efficientnet_b7 V1 efficientnet_b7_lukemelas-c5b4e57e 600 600 bicubic
efficientnet_v2_l V1 efficientnet_v2_l-59c71312 480 480 bicubic halves
efficientnet_v2_m V1 efficientnet_v2_m-dc08266a 480 480
efficientnet_v2_s V1 efficientnet_v2_s-dd5fe13b 384 384
googlenet V1 googlenet-1378be20 256 224
inception_v3 V1 inception_v3_google-0cc3c7bd 342 299
mnasnet0_5 V1 mnasnet0.5_top1_67.823-3ffadce67e 256 224
mnasnet0_75 V1 mnasnet0_75-7090bc5f 232 224
mnasnet1_0 V1 mnasnet1.0_top1_73.512-f206786ef8 256 224
mnasnet1_3 V1 mnasnet1_3-a4c69d6f 232 224
mobilenet_v2 V1 mobilenet_v2-b0353104 256 224
mobilenet_v2 V2 mobilenet_v2-7ebf99e0 232 224
mobilenet_v3_large V1 mobilenet_v3_large-8738ca79 256 224
mobilenet_v3_large V2 mobilenet_v3_large-5c1a4163 232 224
mobilenet_v3_small V1 mobilenet_v3_small-047dcff4 256 224
regnet_x_16gf V1 regnet_x_16gf-2007eb11 256 224
regnet_x_16gf V2 regnet_x_16gf-ba3796d7 232 224
regnet_x_1_6gf V1 regnet_x_1_6gf-e3633e7f 256 224
regnet_x_1_6gf V2 regnet_x_1_6gf-a12f2b72 232 224
regnet_x_32gf V1 regnet_x_32gf-9d47f8d0 256 224
regnet_x_32gf V2 regnet_x_32gf-6eb8fdc6 232 224
regnet_x_3_2gf V1 regnet_x_3_2gf-f342aeae 256 224
regnet_x_3_2gf V2 regnet_x_3_2gf-7071aa85 232 224
regnet_x_400mf V1 regnet_x_400mf-adf1edd5 256 224
regnet_x_400mf V2 regnet_x_400mf-62229a5f 232 224
regnet_x_800mf V1 regnet_x_800mf-ad17e45c 256 224
regnet_x_800mf V2 regnet_x_800mf-94a99ebd 232 224
regnet_x_8gf V1 regnet_x_8gf-03ceed89 256 224
regnet_x_8gf V2 regnet_x_8gf-2b70d774 232 224
regnet_y_128gf SWAG_E2E_V1 regnet_y_128gf_swag-c8ce3e52 384 384 bicubic
regnet_y_128gf SWAG_LINEAR_V1 regnet_y_128gf_lc_swag-cbe8ce12 224 224 bicubic
regnet_y_16gf V1 regnet_y_16gf-9e6ed7dd 256 224
regnet_y_16gf V2 regnet_y_16gf-3e4a00f9 232 224
regnet_y_16gf SWAG_E2E_V1 regnet_y_16gf_swag-43afe44d 384 384 bicubic
regnet_y_16gf SWAG_LINEAR_V1 regnet_y_16gf_lc_swag-f3ec0043 224 224 bicubic
regnet_y_1_6gf V1 regnet_y_1_6gf-b11a554e 256 224
regnet_y_1_6gf V2 regnet_y_1_6gf-0d7bc02a 232 224
regnet_y_32gf V1 regnet_y_32gf-4dee3f7a 256 224
regnet_y_32gf V2 regnet_y_32gf-8db6d4b5 232 224
regnet_y_32gf SWAG_E2E_V1 regnet_y_32gf_swag-04fdfa75 384 384 bicubic
regnet_y_32gf SWAG_LINEAR_V1 regnet_y_32gf_lc_swag-e1583746 224 224 bicubic
regnet_y_3_2gf V1 regnet_y_3_2gf-b5a9779c 256 224
regnet_y_3_2gf V2 regnet_y_3_2gf-9180c971 232 224
regnet_y_400mf V1 regnet_y_400mf-c65dace8 256 224
regnet_y_400mf V2 regnet_y_400mf-e6988f5f 232 224
regnet_y_800mf V1 regnet_y_800mf-1b27b58c 256 224
regnet_y_800mf V2 regnet_y_800mf-58fc7688 232 224
regnet_y_8gf V1 regnet_y_8gf-d0d0e4a8 256 224
regnet_y_8gf V2 regnet_y_8gf-dc2b1b54 232 224
resnet101 V1 resnet101-63fe2227 256 224
resnet101 V2 resnet101-cd907fc2 232 224
resnet152 V1 resnet152-394f9c45 256 224
resnet152 V2 resnet152-f82ba261 232 224
resnet18 V1 resnet18-f37072fd 256 224
resnet34 V1 resnet34-b627a593 256 224
resnet50 V1 resnet50-0676ba61 256 224
resnet50 V2 resnet50-11ad3fa6 232 224
resnext101_32x8d V1 resnext101_32x8d-8ba56ff5 256 224
resnext101_32x8d V2 resnext101_32x8d-110c445d 232 224
resnext101_64x4d V1 resnext101_64x4d-173b62eb 232 224
resnext50_32x4d V1 resnext50_32x4d-7cdf4587 256 224
resnext50_32x4d V2 resnext50_32x4d-1a0047aa 232 224
shufflenet_v2_x0_5 V1 shufflenetv2_x0.5-f707e7126e 256 224
shufflenet_v2_x1_0 V1 shufflenetv2_x1-5666bf0f80 256 224
shufflenet_v2_x1_5 V1 shufflenetv2_x1_5-3c479a10 232 224
shufflenet_v2_x2_0 V1 shufflenetv2_x2_0-8be3c8ee 232 224
squeezenet1_0 V1 squeezenet1_0-b66bff10 256 224
squeezenet1_1 V1 squeezenet1_1-b8a52dc0 256 224
swin_b V1 swin_b-68c6b09e 238 224 bicubic
swin_s V1 swin_s-5e29d889 246 224 bicubic
swin_t V1 swin_t-704ceda3 232 224 bicubic
swin_v2_b V1 swin_v2_b-781e5279 272 256 bicubic
swin_v2_s V1 swin_v2_s-637d8ceb 260 256 bicubic
swin_v2_t V1 swin_v2_t-b137f0e2 260 256 bicubic
vgg11 V1 vgg11-8a719046 256 224
vgg11_bn V1 vgg11_bn-6002323d 256 224
vgg13 V1 vgg13-19584684 256 224
vgg13_bn V1 vgg13_bn-abd245e5 256 224
vgg16 V1 vgg16-397923af 256 224
vgg16_bn V1 vgg16_bn-6c64b313 256 224
vgg19 V1 vgg19-dcbb9e9d 256 224
vgg19_bn V1 vgg19_bn-c79401a0 256 224
vit_b_16 V1 vit_b_16-c867db91 256 224
vit_b_16 SWAG_E2E_V1 vit_b_16_swag-9ac1b537 384 384 bicubic
vit_b_16 SWAG_LINEAR_V1 vit_b_16_lc_swag-4e70ced5 224 224 bicubic
vit_b_32 V1 vit_b_32-d86f8d99 256 224
vit_h_14 SWAG_E2E_V1 vit_h_14_swag-80465313 518 518 bicubic
vit_h_14 SWAG_LINEAR_V1 vit_h_14_lc_swag-c1eb923e 224 224 bicubic
vit_l_16 V1 vit_l_16-852ce7e3 242 224
vit_l_16 SWAG_E2E_V1 vit_l_16_swag-4f3808c9 512 512 bicubic
vit_l_16 SWAG_LINEAR_V1 vit_l_16_lc_swag-4d563306 224 224 bicubic
vit_l_32 V1 vit_l_32-c7638314 256 224
deeplabv3_mobilenet_v3_large COCO deeplabv3_mobilenet_v3_large-fc3c493d 520 0
deeplabv3_resnet101 COCO deeplabv3_resnet101_coco-586e9e4e 520 0
deeplabv3_resnet50 COCO deeplabv3_resnet50_coco-cd0a2569 520 0
fcn_resnet101 COCO fcn_resnet101_coco-7ecb50ca 520 0
fcn_resnet50 COCO fcn_resnet50_coco-1167a1af 520 0
lraspp_mobilenet_v3_large COCO lraspp_mobilenet_v3_large-d234d4ea 520 0
wide_resnet101_2 V1 wide_resnet101_2-32ee1156 256 224
wide_resnet101_2 V2 wide_resnet101_2-d733dc28 232 224
wide_resnet50_2 V1 wide_resnet50_2-95faca4d 256 224
wide_resnet50_2 V2 wide_resnet50_2-9ba9bcbe 232 224
"""


class Source(NamedTuple):
    """One file, and the sizes of its pictures."""

    file: str
    resize: int
    crop: int
    unusual: frozenset[str]


def _read() -> dict[str, dict[str, Source]]:
    found: dict[str, dict[str, Source]] = {}
    for row in ROWS.split("\n")[1:-1]:
        model, version, file, resize, crop, *unusual = row.split()
        source = Source(f"{file}.pth", int(resize), int(crop), frozenset(unusual))
        whole = "COCO_WITH_VOC_LABELS_V1" if version == "COCO" else f"IMAGENET1K_{version}"
        found.setdefault(model, {})[whole] = source
    return found


FILES = _read()


def default(model: str) -> str:
    """The version that is meant by "DEFAULT": the newest of ImageNet alone, else the first."""
    versions = list(FILES[model])
    plain = [version for version in versions if "SWAG" not in version]
    return plain[-1] if plain else versions[0]
