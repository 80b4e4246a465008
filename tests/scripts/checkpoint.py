"""Save and load: a state_dict, and a checkpoint from which training continues unchanged."""
import copy
import io
import os
import tempfile

import microtorch as torch
import microtorch.nn as nn

torch.manual_seed(5)
X, y = torch.randn(40, 3), torch.randn(40, 1)


def make():
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


def steps(model, optimizer, n):
    for _ in range(n):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(X), y)
        loss.backward()
        optimizer.step()
    return loss.item()


model = make()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
print(f"{steps(model, optimizer, 10):.5f}")

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.pth")
    torch.save(model.state_dict(), path)
    fresh = make()
    print(fresh.load_state_dict(torch.load(path, weights_only=True)))
    print(all(torch.equal(a, b) for a, b in zip(model.parameters(), fresh.parameters())))

    checkpoint = os.path.join(folder, "checkpoint.tar")
    torch.save({
        "epoch": 10,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "note": ["a", 1, 2.5, None],
    }, checkpoint)  # fmt: skip
    loaded = torch.load(checkpoint)
    momentum = loaded["optimizer"]["param_groups"][0]["momentum"]
    print(loaded["epoch"], loaded["note"], sorted(loaded), momentum)
    other = make()
    other.load_state_dict(loaded["model"])
    other_optimizer = torch.optim.SGD(other.parameters(), lr=0.001)
    other_optimizer.load_state_dict(loaded["optimizer"])
    print(f"{steps(model, optimizer, 10):.5f} {steps(other, other_optimizer, 10):.5f}")

buffer = io.BytesIO()
torch.save((torch.arange(6).view(2, 3), {"mask": torch.tensor([True, False])}), buffer)
buffer.seek(0)
print(torch.load(buffer))

best = copy.deepcopy(model.state_dict())
with torch.no_grad():
    for p in model.parameters():
        p.zero_()
model.load_state_dict(best)
print(f"{nn.functional.mse_loss(model(X), y).item():.5f}", list(best))
try:
    make().load_state_dict({"0.weight": torch.zeros(8, 3)})
except RuntimeError as e:
    print("Missing key(s)" in str(e))
