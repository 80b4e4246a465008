"""A variational autoencoder on toy patterns: reparameterisation, KL divergence, interpolation."""
import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn, optim
from microtorch.utils.data import DataLoader

torch.manual_seed(123)
patterns = torch.tensor([[1, 1, 0, 0, 0, 0],
                         [0, 0, 1, 1, 0, 0],
                         [0, 0, 0, 0, 1, 1]], dtype=torch.float32)  # fmt: skip
data = (patterns[torch.randint(3, (120,))] - 0.1 * torch.rand(120, 6)).abs()


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 12)
        self.fc21, self.fc22 = nn.Linear(12, 2), nn.Linear(12, 2)
        self.decoder = nn.Sequential(nn.Linear(2, 12), nn.ELU(), nn.Linear(12, 6), nn.Sigmoid())

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std if self.training else mu

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 6))
        return self.decoder(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon, x, mu, logvar):
    bce = F.binary_cross_entropy(recon, x.clamp(0, 1), reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


model = VAE()
optimizer = optim.SGD(model.parameters(), lr=0.005, momentum=0.8)
scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.98)
for epoch in range(1, 13):
    model.train()
    total = 0
    for batch in DataLoader(data, batch_size=24, shuffle=True):
        optimizer.zero_grad()
        loss = loss_function(*[(out := model(batch))[0]], batch, *out[1:])
        loss.backward()
        total += loss.item()
        optimizer.step()
    scheduler.step()
    if epoch % 4 == 0:
        print(epoch, f"{total / len(data):.4f}", f"{scheduler.get_last_lr()[0]:.6f}")
model.eval()
with torch.no_grad():
    recon, mu, _ = model(patterns)
    errors = F.mse_loss(recon, patterns, reduction="none").mean(1)
    print((recon > 0.5).int(), [f"{v:.2f}" for v in errors])
    print(model.decoder(torch.lerp(mu[:1], mu[1:2], 0.5)).shape)
