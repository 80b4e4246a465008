"""DataParallel on two OpenCL devices beside the module alone. Prints "ok"."""

import copy

import microtorch as torch
from microtorch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)

    def forward(self, x, factor, *, shift):
        y = self.b(self.norm(self.a(x)).tanh()) * factor + shift
        return {"y": y, "parts": (y.sum(), "word")}


if torch.opencl.device_count() < 2:
    raise SystemExit("two devices are needed")
torch.manual_seed(0)
net = Net().to("opencl").eval()
alone = copy.deepcopy(net)
both = nn.DataParallel(net)
x, shift = torch.randn(7, 4), torch.randn(7, 1)
wanted = alone(x.to("opencl"), 2, shift=shift.to("opencl"))
found = both(x, 2, shift=shift)  # as in PyTorch, the inputs may lie anywhere
assert (found["y"] - wanted["y"]).abs().max() < 1e-5 and str(found["y"].device) == "opencl:0"
assert found["parts"][0].shape == (2,) and found["parts"][1] == "word"
(found["y"] ** 2).mean().backward()
(wanted["y"] ** 2).mean().backward()
for p, q in zip(net.parameters(), alone.parameters(), strict=True):
    assert (p.grad - q.grad).abs().max() < 1e-5 * (1 + q.grad.abs().max())
net.train()
both(x, 2, shift=shift)
assert net.norm.num_batches_tracked.item() == 1  # of the first device's share
net.eval()
assert both(x[:1], 2, shift=shift[:1])["y"].shape == (1, 2)  # fewer rows than devices
try:
    nn.DataParallel(Net().to("opencl:1"))(x, 2, shift=shift)
    raise AssertionError
except RuntimeError as error:
    assert "device_ids[0]" in str(error)
print("ok")
