"""A variational autoencoder: digits from two numbers, and the plane that these numbers span.

Kingma and Welling 2014. The encoder gives mean and log-variance of a normal distribution of the
code z, the decoder the probability of ink at each pixel. The loss is the bound
-E[log p(x|z)] + KL(q(z|x), N(0, 1)); z = mean + std * noise lets gradients through the sample.
"""
import drawing

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn


class VAE(nn.Module):
    def __init__(self, codes=2):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 2 * codes))
        self.decoder = nn.Sequential(nn.Linear(codes, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape)
        return self.decoder(z), mean, log_variance


def bound(x, logits, mean, log_variance):
    """The negative evidence lower bound, per image."""
    ink = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
    return (ink + kl) / len(x)


def main(epochs=25):
    torch.manual_seed(0)
    (x, _), (held, _) = drawing.digits()
    x, held = torch.from_numpy(x), torch.from_numpy(held)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            loss = bound(x[batch], *model(x[batch]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            with torch.no_grad():
                test = bound(held, *model(held)).item()
            print(f"epoch {epoch + 1}  bound {loss.item():.2f}  held out {test:.2f}")
    if drawing.draws():
        line = torch.linspace(-2, 2, 12)
        plane = torch.stack([line.repeat_interleave(12), line.repeat(12)], dim=1)
        with torch.no_grad():
            drawing.images("vae", torch.sigmoid(model.decoder(plane)).reshape(12, 12, 8, 8).numpy())
    return test


if __name__ == "__main__":
    main()
