"""A generative adversarial network on points of the plane: eight clumps on a circle.

Goodfellow et al. 2014. The critic learns to tell points of the data from generated ones; the
generator learns to be taken for data.
"""
import math

import drawing

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn


def data(n):
    """Points around eight centres on the unit circle."""
    angle = torch.randint(0, 8, (n,)) * (math.pi / 4)
    return torch.stack([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(n, 2)


def network(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2),
        nn.Linear(64, outputs),
    )  # fmt: skip


def main(steps=1000):
    torch.manual_seed(0)
    generator, critic = network(4, 2), network(2, 1)
    for_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
    for_critic = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    for step in range(steps):
        real, made = data(128), generator(torch.randn(128, 4))
        # softplus(-c) is small where the critic says yes, softplus(c) where it says no
        loss = F.softplus(-critic(real)).mean() + F.softplus(critic(made.detach())).mean()
        for_critic.zero_grad()
        loss.backward()
        for_critic.step()

        cheat = F.softplus(-critic(made)).mean()
        for_generator.zero_grad()
        cheat.backward()
        for_generator.step()
        if step % 500 == 499:
            print(f"step {step + 1}  critic {loss.item():.3f}  generator {cheat.item():.3f}")
    with torch.no_grad():
        made = generator(torch.randn(1000, 4))
    radius = made.norm(dim=1)
    clump = torch.atan2(made[:, 1], made[:, 0]).div(math.pi / 4).round().long() % 8
    clumps = (torch.bincount(clump, minlength=8) > 20).sum().item()
    near = ((radius - 1).abs() < 0.3).float().mean().item()
    print(f"near the circle: {near:.2f}, clumps with more than 2 % of the points: {clumps} of 8")
    if drawing.draws():
        drawing.points("gan", {"data": data(400), "made": made}, "Generated points")
    return near, clumps


if __name__ == "__main__":
    main()
