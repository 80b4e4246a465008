"""Generator and discriminator on one-dimensional data: two optimizers, detach, BCE with logits."""
import microtorch as torch
from microtorch import nn

torch.manual_seed(111)
real_data = torch.randn(64, 1) * 0.5 + 2.0
generator = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
discriminator = nn.Sequential(nn.Linear(1, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
loss_function = nn.BCEWithLogitsLoss()
optimizer_d = torch.optim.SGD(discriminator.parameters(), lr=0.1)
optimizer_g = torch.optim.SGD(generator.parameters(), lr=0.05)
ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)

for step in range(60):
    latent = torch.randn((64, 2))
    fake = generator(latent)

    discriminator.zero_grad()
    loss_real = loss_function(discriminator(real_data), ones)
    loss_d = loss_real + loss_function(discriminator(fake.detach()), zeros)
    loss_d.backward()
    assert generator[0].weight.grad is None or step > 0
    optimizer_d.step()

    generator.zero_grad()
    loss_g = loss_function(discriminator(fake), ones)
    loss_g.backward()
    optimizer_g.step()
    if step % 15 == 14:
        losses = f"D {loss_d.item():.4f} G {loss_g.item():.4f}"
        mean, std = fake.mean().item(), fake.std().item()
        print(f"{step + 1:3d} {losses} fake mean {mean:.3f} std {std:.3f}")

with torch.no_grad():
    samples = generator(torch.randn(1000, 2))
belief = torch.sigmoid(discriminator(samples)).mean().item()
print(f"{samples.mean().item():.3f} {samples.std().item():.3f}", belief > 0)
print([f"{q:.2f}" for q in [samples.quantile(v).item() for v in (0.1, 0.5, 0.9)]])
