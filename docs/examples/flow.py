"""A normalizing flow: an invertible map that takes two half-moons to a normal distribution.

Dinh et al. 2017. A coupling layer changes one coordinate by a scale and a shift that depend on the
other one. So it can be undone, and its Jacobian's determinant is the scale. The loss is exact:
-log p(x) = -log N(f(x); 0, 1) - log |det J|.
"""
import math

import drawing

import microtorch as torch
from microtorch import nn


class Coupling(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.side = side  # which coordinate is changed
        self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(),
                                 nn.Linear(32, 2))  # fmt: skip

    def parts(self, x):
        keep, change = x[:, 1 - self.side, None], x[:, self.side, None]
        scale, shift = self.net(keep).chunk(2, dim=1)
        return keep, change, torch.tanh(scale), shift

    def join(self, keep, change):
        return torch.cat([keep, change] if self.side else [change, keep], dim=1)

    def forward(self, x):
        keep, change, scale, shift = self.parts(x)
        return self.join(keep, change * scale.exp() + shift), scale.squeeze(1)

    def inverse(self, z):
        keep, change, scale, shift = self.parts(z)
        return self.join(keep, (change - shift) * (-scale).exp())


def moons(n):
    angle, lower = math.pi * torch.rand(n), torch.randint(0, 2, (n,))
    x = torch.stack([angle.cos() + lower - 0.5, (1 - 2 * lower) * (angle.sin() - 0.25)], dim=1)
    return 1.5 * (x + 0.06 * torch.randn(n, 2))


def minus_log_p(layers, x):
    log_det = torch.zeros(len(x))
    for layer in layers:
        x, scale = layer(x)
        log_det = log_det + scale
    return 0.5 * (x**2).sum(1) + math.log(2 * math.pi) - log_det


def main(steps=600):
    torch.manual_seed(0)
    layers = nn.ModuleList(Coupling(i % 2) for i in range(8))
    optimizer = torch.optim.Adam(layers.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        loss = minus_log_p(layers, moons(256)).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(layers.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 199:
            print(f"step {step + 1}  -log p {loss.item():.3f}")
    with torch.no_grad():
        held = minus_log_p(layers, moons(2000)).mean().item()
        x, z = moons(500), torch.randn(500, 2)
        there = x
        for layer in layers:
            there, _ = layer(there)
        for layer in reversed(layers):
            there, z = layer.inverse(there), layer.inverse(z)
    error = (there - x).abs().max().item()
    print(f"-log p of new points: {held:.3f}; there and back again: {error:.1e}")
    if drawing.draws():
        drawing.points("flow", {"data": x, "made": z}, "Moons from a normal distribution")
    return held, error


if __name__ == "__main__":
    main()
