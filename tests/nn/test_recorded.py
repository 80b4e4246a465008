"""Layers with PyTorch's initial numbers for a seed, and its results for fixed inputs."""

import numpy as np
import pytest
from nn.recorded import layers, measure

import microtorch as torch

# PyTorch 2.13, printed by recorded.py: three outputs, their mean, and a sum over each gradient
RECORDED = {
    "Conv3d": [-0.2606, -0.5435, -0.2606, -0.1513, -0.313],
    "ConvTranspose3d": [0.3508, -0.0285, 0.0245, 0.0966, -0.886],
    "ConvTranspose1d, wide": [0.0823, 0.0777, 0.1361, 0.2041, -0.349],
    "LazyConv2d": [-0.7763, -0.212, 0.3215, -0.1976, 1.003],
    "LazyConvTranspose3d": [-0.3919, -0.1305, -0.0109, 0.078, -0.472],
    "LazyLinear": [-0.3763, -0.8393, -0.2707, -0.498, -0.898],
    "LazyBatchNorm1d": [-1.3222, 1.14, 1.3706, -0.0, 0.0],
    "InstanceNorm3d": [0.4093, 1.3124, -0.8051, -0.0, 0.001],
    "LocalResponseNorm": [0.1801, 0.5536, -0.3216, 0.0017, 17.221],
    "MaxPool3d": [-0.7728, 0.729, 0.729, 0.6119, -0.671],
    "AvgPool3d": [0.2275, -0.1722, 0.4184, 0.0504, 0.729],
    "AdaptiveMaxPool3d": [0.9612, 0.9093, 0.798, 0.9115, 1.003],
    "AdaptiveAvgPool3d": [-0.0158, -0.2046, 0.0685, 0.0006, 0.261],
    "FractionalMaxPool2d": [0.9093, 0.972, 0.729, 0.8644, 0.929],
    "FractionalMaxPool3d": [0.9093, 0.8596, 0.972, 0.9652, -0.04],
    "LPPool2d": [1.4292, 1.4075, 1.425, 1.414, 0.268],
    "LSTM, projected": [0.0343, 0.0479, 0.0726, 0.0461, 0.046],
    "TransformerDecoder": [0.4658, -0.2482, 0.5082, 0.1385, 11.18, 0.167],
    "Transformer": [-0.6567, 1.6983, -0.2545, 0.0, 0.131, -0.379],
    "Transformer, dropout": [0.5387, 1.3583, -0.7674, 0.0, 0.078, 0.238],
    "MultiheadAttention": [-0.3553, 0.0465, 0.2264, -0.0319, 0.118, 0.151, -0.276],
    "Bilinear": [-0.5283, -0.4503, -0.9759, -0.2544, -0.365, -0.365],
    "AdaptiveLogSoftmaxWithLoss": [-1.5813, -2.3992, -3.2221, -2.3811, 0.964],
    "LinearCrossEntropyLoss": [1.5932, 1.5932, 0.069],
    "EmbeddingBag": [-0.2117, -0.0737, -0.0172, -0.0955, -0.216],
    "gumbel_softmax": [1.0, 0.0, 0.0, 0.25, 1.506],
    "grid_sample": [-0.4502, 0.3899, 1.3796, 0.1125, -3.885, 6.379],
    "grid_sample, volumes": [-0.1955, -0.1439, -0.1088, 0.0031, 0.287, 3.228],
    "interpolate, lanczos": [0.2159, 0.1654, 0.0078, -0.0005, -0.355],
    "affine_grid": [-0.7049, -0.4044, 0.0018, 0.2592, -0.181],
}


def test_all_layers_are_recorded():
    assert list(RECORDED) == list(layers(torch))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("name", RECORDED)
def test_numbers_are_pytorchs(name):
    np.testing.assert_allclose(measure(torch, name), RECORDED[name], rtol=2e-3, atol=2e-3)
