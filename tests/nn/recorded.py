"""Layers made with a seed and run on fixed inputs: what test_recorded.py compares with PyTorch.

`python recorded.py` prints the table RECORDED of test_recorded.py; it needs PyTorch.
"""

import math


def wave(torch, *shape):
    """Numbers without a pattern."""
    n = math.prod(shape)
    return torch.sin(torch.arange(n, dtype=torch.float64) * 1.7 + 0.3).reshape(shape).float()


def layers(torch):
    """name -> (a function that makes the layer, the shapes of its inputs)."""
    nn = torch.nn
    mask = torch.triu(torch.ones(3, 3), 1).bool()

    def causal(decoder, tgt, memory):
        return decoder(tgt, memory, tgt_mask=mask, tgt_is_causal=True)

    return {
        "Conv3d": (lambda: nn.Conv3d(2, 4, (2, 3, 1), 2, 1, groups=2), [(2, 2, 4, 5, 3)]),
        "ConvTranspose3d": (
            lambda: nn.ConvTranspose3d(2, 3, 2, (2, 1, 3), 1, (1, 0, 2)), [(1, 2, 3, 2, 2)],
        ),
        "ConvTranspose1d, wide": (
            lambda: nn.ConvTranspose1d(2, 3, 3, 1, 1, 1, dilation=2), [(1, 2, 4)],
        ),
        "LazyConv2d": (lambda: nn.LazyConv2d(3, 2, padding_mode="circular"), [(2, 2, 4, 4)]),
        "LazyConvTranspose3d": (lambda: nn.LazyConvTranspose3d(2, 2), [(1, 3, 2, 2, 2)]),
        "LazyLinear": (lambda: nn.LazyLinear(3), [(2, 4)]),
        "LazyBatchNorm1d": (lambda: nn.LazyBatchNorm1d(), [(3, 4)]),
        "InstanceNorm3d": (
            lambda: nn.InstanceNorm3d(2, affine=True, track_running_stats=True), [(2, 2, 2, 3, 2)],
        ),
        "LocalResponseNorm": (lambda: nn.LocalResponseNorm(3, 0.1, 0.7, 2.0), [(2, 5, 3, 2)]),
        "MaxPool3d": (lambda: nn.MaxPool3d(2, 1, 1, (1, 2, 1)), [(1, 2, 3, 4, 3)]),
        "AvgPool3d": (
            lambda: nn.AvgPool3d((2, 3, 2), 2, (1, 1, 0), True, False), [(1, 2, 3, 4, 5)],
        ),
        "AdaptiveMaxPool3d": (lambda: nn.AdaptiveMaxPool3d((2, None, 3)), [(1, 2, 5, 3, 4)]),
        "AdaptiveAvgPool3d": (lambda: nn.AdaptiveAvgPool3d((2, 1, 3)), [(1, 2, 5, 3, 4)]),
        "FractionalMaxPool2d": (lambda: nn.FractionalMaxPool2d(2, output_ratio=0.6),
                                [(2, 2, 7, 6)]),
        "FractionalMaxPool3d": (lambda: nn.FractionalMaxPool3d(2, (2, 3, 2)), [(2, 2, 5, 6, 4)]),
        "LPPool2d": (lambda: nn.LPPool2d(2, 2, 1), [(1, 2, 4, 3)]),
        "LSTM, projected": (
            lambda: nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2), [(4, 2, 3)],
        ),
        "TransformerDecoder": (
            lambda: nn.TransformerDecoder(
                nn.TransformerDecoderLayer(4, 2, 6, 0.0, "gelu", norm_first=True), 2
            ),
            [(3, 2, 4), (5, 2, 4)],
            causal,
        ),
        "Transformer": (
            lambda: nn.Transformer(4, 2, 1, 2, 6, 0.0, batch_first=True), [(2, 5, 4), (2, 3, 4)],
        ),
        "Transformer, dropout": (
            lambda: nn.Transformer(4, 2, 1, 1, 6, 0.5), [(5, 2, 4), (3, 2, 4)],
        ),
        "MultiheadAttention": (
            lambda: nn.MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True, kdim=3,
                                          vdim=2),
            [(3, 2, 4), (5, 2, 3), (5, 2, 2)],
        ),
        "Bilinear": (lambda: nn.Bilinear(2, 3, 4), [(5, 2), (5, 3)]),
        "AdaptiveLogSoftmaxWithLoss": (
            lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 9, [2, 5], 2.0, True), [(6, 8)],
            lambda layer, x: layer(x, torch.tensor([0, 8, 3, 1, 4, 5])),
        ),
        "LinearCrossEntropyLoss": (
            lambda: nn.LinearCrossEntropyLoss(3, 4, bias=True, label_smoothing=0.1), [(5, 3)],
            lambda layer, x: layer(x, torch.tensor([0, 3, 2, 1, 1])),
        ),
        "EmbeddingBag": (
            lambda: nn.EmbeddingBag(6, 3, 1.2, mode="sum", padding_idx=2), [(2, 3)],
            lambda layer, x: layer(torch.tensor([[1, 2, 5], [5, 0, 5]]), per_sample_weights=x),
        ),
        "gumbel_softmax": (lambda: None, [(3, 4)],
                           lambda _, x: torch.nn.functional.gumbel_softmax(x, 0.7, hard=True)),
        "grid_sample": (
            lambda: None, [(1, 2, 4, 5), (1, 3, 2, 2)],
            lambda _, x, g: torch.nn.functional.grid_sample(
                x, 1.4 * g, "bicubic", "reflection", align_corners=False
            ),
        ),
        "grid_sample, volumes": (
            lambda: None, [(1, 2, 3, 4, 2), (1, 2, 2, 3, 3)],
            lambda _, x, g: torch.nn.functional.grid_sample(x, 1.4 * g, align_corners=True),
        ),
        "interpolate, lanczos": (
            lambda: None, [(1, 2, 6, 5)],
            lambda _, x: torch.nn.functional.interpolate(
                x, (3, 8), mode="lanczos", align_corners=False, antialias=True
            ),
        ),
        "affine_grid": (
            lambda: None, [(2, 3, 4)],
            lambda _, t: torch.nn.functional.affine_grid(t, (2, 1, 2, 1, 3), align_corners=False),
        ),
    }  # fmt: skip


def measure(torch, name):
    """[the first elements of the output, the mean of all, and that of each input's gradient]."""
    make, shapes, *call = layers(torch)[name]
    torch.manual_seed(3)
    layer = make()
    xs = [wave(torch, *shape).requires_grad_() for shape in shapes]
    out = call[0](layer, *xs) if call else layer(*xs)
    while not hasattr(out, "shape"):
        out = out[0]
    (out * wave(torch, *out.shape)).sum().backward()
    grads = [float((x.grad * wave(torch, *x.shape)).sum()) for x in xs if x.grad is not None]
    first = [round(float(v), 4) for v in out.detach().reshape(-1)[:3]]
    return [*first, round(float(out.detach().mean()), 4), *(round(g, 3) for g in grads)]


if __name__ == "__main__":
    import torch as pytorch

    print("RECORDED = {")
    for key in layers(pytorch):
        print(f'    "{key}": {measure(pytorch, key)},')
    print("}")
