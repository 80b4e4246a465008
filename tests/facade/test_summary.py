"""microtorch.summary and the writer for TensorBoard."""

import importlib.util

import pytest

import microtorch as torch
from microtorch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Linear(8 * 13 * 13, 10)
        self.lstm = nn.LSTM(10, 64)
        self.fc.bias.requires_grad_(False)

    def forward(self, x):
        x = self.fc(self.conv(x).flatten(1)) @ torch.ones(10, 10)
        return self.lstm(x[None])[0]


def test_summary_counts():
    net = Net()
    state = torch.get_rng_state()
    s = torch.summary(net, (2, 1, 28, 28))
    assert s.total_params == sum(p.numel() for p in net.parameters())
    assert s.trainable_params == s.total_params - 10
    conv, fc = 2 * 26 * 26 * 8 * 9, 2 * 1352 * 10
    lstm = 2 * (256 * 10 + 256 * 64)
    assert s.multiply_adds == conv + fc + 2 * 10 * 10 + lstm
    assert s.param_bytes == 4 * s.total_params
    rows = {row.name: row for row in s.rows}
    assert rows["0"].shape == (2, 8, 26, 26) and rows["0"].multiply_adds == conv
    assert rows["conv"].multiply_adds == conv and rows["lstm"].multiply_adds == lstm
    text = str(s)
    assert "Conv2d: 0" in text and "[2, 8, 26, 26]" in text and "97,344" in text
    assert "Conv2d" not in str(torch.summary(net, (2, 1, 28, 28), depth=1))
    # nothing of the model or the generator has changed
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training and not net.fc.bias.requires_grad
    assert all(p.grad is None and not m._forward_hooks for m in net.modules()
               for p in m.parameters())  # fmt: skip


def test_summary_of_other_inputs():
    layer = nn.Linear(4, 4)
    shared = torch.summary(nn.Sequential(layer, layer), input_data=torch.ones(2, 4))
    assert shared.total_params == 20 and shared.multiply_adds == 2 * 2 * 16
    assert "(again)" in str(shared)
    words = torch.summary(nn.Embedding(10, 4), (2, 3), dtypes=[torch.int64])
    assert words.rows[0].shape == (2, 3, 4)
    pair = torch.summary(nn.Bilinear(3, 4, 2), [(5, 3), (5, 4)])
    assert pair.rows[0].shape == (5, 2)
    with pytest.raises(ValueError, match="needs either input_size or input_data"):
        torch.summary(layer)
    bad = nn.Linear(3, 3)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        torch.summary(bad, (1, 5))
    assert not bad._forward_hooks and bad.training


@pytest.mark.skipif(importlib.util.find_spec("tensorboardX") is None, reason="no tensorboardX")
@pytest.mark.filterwarnings("ignore")
def test_writer(tmp_path):
    from microtorch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", torch.tensor(0.5, requires_grad=True), 1)
        writer.add_scalars("both", {"a": torch.tensor(1.0), "b": 2.0}, 1)
        writer.add_histogram("weights", torch.randn(100), 1)
        writer.add_image("image", torch.rand(3, 4, 4), 1)
        net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(), nn.BatchNorm1d(3))
        state = torch.get_rng_state()
        writer.add_graph(net, torch.ones(4, 2))
        assert torch.equal(torch.get_rng_state(), state)
        assert net.training and net[2].num_batches_tracked == 0
        assert writer.get_logdir() == str(tmp_path)
    assert sum(f.stat().st_size for f in tmp_path.rglob("events*")) > 200


@pytest.mark.skipif(importlib.util.find_spec("tensorboardX") is None, reason="no tensorboardX")
@pytest.mark.filterwarnings("ignore")
def test_the_graph_that_a_writer_writes():
    from microtorch.facade.tensorboard_graph import graph_of

    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    nodes = {n.name: n for n in graph_of(net, torch.ones(4, 2)).node}
    layer = nodes["Sequential/Linear[0]/AddmmBackward0_3"]
    assert list(layer.input) == [
        "input/input.0", "Sequential/Linear[0]/weight", "Sequential/Linear[0]/bias"
    ]  # fmt: skip
    assert [d.size for d in layer.attr["_output_shapes"].list.shape[0].dim] == [4, 3]
    assert nodes["output/output.0"].input[0].startswith("Sequential/ReLU[1]/Relu")


def test_writer_absent(monkeypatch):
    from microtorch.facade import tensorboard

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(tensorboard.importlib, "import_module", absent)
    with pytest.raises(ImportError, match="pip install tensorboardX"):
        tensorboard.SummaryWriter()
