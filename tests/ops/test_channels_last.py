"""Images whose channels lie side by side: results lie so, too, and hold what they held."""
import pytest

import microtorch as torch
from microtorch import nn

F = nn.functional
PLANE = {
    "conv2d": lambda x, w: F.conv2d(x, w, torch.ones(4).to(x.dtype), padding=1),
    "one side of a conv2d": lambda x, w: F.conv2d(x.contiguous(), w),
    "strided": lambda x, w: F.conv2d(x, w, stride=2),
    "depthwise": lambda x, w: F.conv2d(x, w[:3, :1].repeat(1, 1, 1, 1), groups=3),
    "transposed": lambda x, w: F.conv_transpose2d(x, w[:3]),
    "max_pool2d": lambda x, w: F.max_pool2d(x, 2),
    "with indices": lambda x, w: F.max_pool2d(x, 2, return_indices=True)[0],
    "avg_pool2d": lambda x, w: F.avg_pool2d(x, 3, 2),
    "lp_pool2d": lambda x, w: F.lp_pool2d(x, 2.0, 2),
    "adaptive": lambda x, w: F.adaptive_avg_pool2d(x, (2, 3)),
    "adaptive max": lambda x, w: F.adaptive_max_pool2d(x, 2),
    "batch_norm": lambda x, w: F.batch_norm(x, None, None, training=True),
    "fixed": lambda x, w: F.batch_norm(x, x.detach().mean((0, 2, 3)), torch.ones(3).to(x.dtype)),
    "pad": lambda x, w: F.pad(x, (1, 2, 0, 1)),
    "reflect": lambda x, w: F.pad(x, (1, 1, 1, 1), mode="reflect"),
    "nearest": lambda x, w: F.interpolate(x, scale_factor=2),
    "bilinear": lambda x, w: F.interpolate(x, size=(7, 3), mode="bilinear"),
    "cat": lambda x, w: torch.cat([x, x * 2], 1),
    "a value": lambda x, w: F.pad(x, (1, 2, 0, 1), value=2.0),
    "cut": lambda x, w: F.pad(x, (-1, 1, 0, -1)),
    "group_norm": lambda x, w: F.group_norm(x, 3, torch.ones(3).to(x.dtype)),
    "group_norm alone": lambda x, w: F.group_norm(x, 1),
    "channel_shuffle": lambda x, w: F.channel_shuffle(x, 3),
    "pixel_unshuffle": lambda x, w: F.pixel_unshuffle(x[..., :4], 2),
    "max_unpool2d": lambda x, w: F.max_unpool2d(
        *F.max_pool2d(x, 2, return_indices=True), 2, output_size=x.shape
    ),
    "rms_norm": lambda x, w: F.rms_norm(x, x.shape[3:]),
    "relu after conv": lambda x, w: F.relu(F.conv2d(x, w)) * 2,
}


def images(shape, layout):
    x = torch.arange(1.0, 1 + torch.Size(shape).numel(), dtype=torch.float64).sin().reshape(shape)
    return x.contiguous(memory_format=layout).requires_grad_()


def run(f, layout):
    x, w = images((2, 3, 6, 5), layout), images((4, 3, 3, 3), layout)
    out = f(x, w)
    (g,) = torch.autograd.grad((out * out).sum(), x, create_graph=True)
    leaves = torch.autograd.grad((g * g).sum(), (x, w), allow_unused=True)
    f(x, w).sum().backward()
    return out, [out, g, x.grad, w.grad, *leaves]


@pytest.mark.parametrize("name", PLANE)
def test_results_lie_as_the_images_do(name):
    rows, expected = run(PLANE[name], torch.contiguous_format)
    last, found = run(PLANE[name], torch.channels_last)
    assert rows.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last) and not last.is_contiguous()
    assert not last._is_view() and not rows._is_view()
    for a, b in zip(expected, found, strict=True):
        assert (a is None) == (b is None)
        assert a is None or torch.allclose(a, b)


def test_volumes_too():
    x, w = (images(s, torch.contiguous_format) for s in ((2, 3, 4, 4, 4), (2, 3, 2, 2, 2)))
    last = x.detach().contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    for f, lies in (
        (lambda x: F.conv3d(x, w), True), (lambda x: F.max_pool3d(x, 2), True),
        (lambda x: F.avg_pool3d(x, 2), False), (lambda x: F.adaptive_avg_pool3d(x, 2), False),
    ):  # fmt: skip
        out = f(last)
        assert torch.equal(out, f(x))
        assert out.is_contiguous(memory_format=torch.channels_last_3d) == lies
        assert out.is_contiguous() != lies and not out._is_view()
        (g,) = torch.autograd.grad(out.sum(), last)
        assert torch.allclose(g, torch.autograd.grad(f(x).sum(), x)[0])


def test_a_network_in_channels_last_trains_as_in_rows():
    def losses(layout):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(6, 3),
        ).to(memory_format=layout)  # fmt: skip
        x, y = torch.randn(5, 2, 8, 8).contiguous(memory_format=layout), torch.arange(5) % 3
        assert net[0].weight.is_contiguous(memory_format=layout) and net[8].weight.is_contiguous()
        optimizer, seen = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), []
        for _ in range(5):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        return seen, net[0](x)

    (rows, _), (last, out) = losses(torch.contiguous_format), losses(torch.channels_last)
    assert torch.allclose(torch.tensor(rows), torch.tensor(last), rtol=1e-5)
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_sizes_of_one_decide_as_in_pytorch():
    w = torch.ones(4, 1, 3, 3)
    for shape, stride in (((2, 1, 5, 5), (36, 1, 12, 4)), ((1, 1, 5, 5), (36, 1, 12, 4))):
        x = torch.ones(shape).contiguous(memory_format=torch.channels_last)
        x = x.as_strided(shape, (25, 1, 5, 1))  # what PyTorch's contiguous() gives of one channel
        assert F.conv2d(x, w).stride() == stride
    assert F.conv2d(torch.ones(2, 3, 5, 5), torch.ones(4, 3, 1, 1)).is_contiguous()
