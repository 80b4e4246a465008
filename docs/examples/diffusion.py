"""Diffusion: points of a spiral out of noise, which a network removes a little at a time.

Ho, Jain and Abbeel 2020. Noise is mixed into the data, in 40 steps, until nothing else is left:
x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise. The network learns to tell the noise from x_t and t;
going back, some of it is taken away at each step.
"""
import drawing

import microtorch as torch
from microtorch import nn

T = 40


def spiral(n):
    turn = 0.25 + 0.75 * torch.rand(n)
    angle = 9.0 * turn
    return 2 * torch.stack([turn * angle.cos(), turn * angle.sin()], 1) + 0.03 * torch.randn(n, 2)


class Noise(nn.Module):
    """The noise in x, which is x_t."""

    def __init__(self, size=96):
        super().__init__()
        self.time = nn.Embedding(T, size)
        self.first = nn.Linear(2, size)
        self.rest = nn.Sequential(
            nn.SiLU(), nn.Linear(size, size), nn.SiLU(), nn.Linear(size, size), nn.SiLU(),
            nn.Linear(size, 2),
        )  # fmt: skip

    def forward(self, x, t):
        return self.rest(self.first(x) + self.time(t))


def main(steps=1500):
    torch.manual_seed(0)
    beta = torch.linspace(1e-3, 0.25, T)  # how much noise each step adds
    kept = torch.cumprod(1 - beta, dim=0)  # a_t: how much of the data is left
    model = Noise()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    mean = 0.0
    for step in range(steps):
        x, t = spiral(256), torch.randint(0, T, (256,))
        noise, a = torch.randn(256, 2), kept[t].unsqueeze(1)
        loss = ((model(a.sqrt() * x + (1 - a).sqrt() * noise, t) - noise) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        mean = 0.98 * mean + 0.02 * loss.item()
        if step % 500 == 499:
            print(f"step {step + 1}  loss {mean:.3f}")
    with torch.no_grad():
        x = torch.randn(500, 2)
        for i in reversed(range(T)):
            noise = model(x, torch.full((500,), i))
            x = (x - beta[i] / (1 - kept[i]).sqrt() * noise) / (1 - beta[i]).sqrt()
            if i:
                x = x + beta[i].sqrt() * torch.randn(500, 2)
    data = spiral(2000)
    distance = torch.cdist(x, data).amin(dim=1).mean().item()
    print(f"mean distance of a made point from the data: {distance:.3f}")
    if drawing.draws():
        drawing.points("diffusion", {"data": data[:400], "made": x[:400]}, "A spiral out of noise")
    return distance


if __name__ == "__main__":
    main()
