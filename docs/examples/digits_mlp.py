"""A multilayer perceptron on handwritten digits: batches, noise, a schedule; 97 % and more."""
import drawing

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn
from microtorch.utils.data import DataLoader, TensorDataset


def main():
    torch.manual_seed(0)
    (x, y), (x_held, y_held) = [
        (torch.from_numpy(a), torch.from_numpy(b)) for a, b in drawing.digits()
    ]
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    model = nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)
    losses = []
    for epoch in range(30):
        model.train()
        for images, labels in loader:
            noisy = images + 0.2 * torch.randn(images.shape)  # the same image is never seen twice
            loss = F.cross_entropy(model(noisy), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        if epoch % 10 == 9:
            model.eval()
            with torch.no_grad():
                accuracy = (model(x_held).argmax(1) == y_held).float().mean().item()
            print(f"epoch {epoch + 1:2}  loss {losses[-1]:.4f}  held out {accuracy:.3f}")
    if drawing.draws():
        drawing.curves("digits_mlp", {"loss": (range(len(losses)), losses)}, "Loss of each batch")
    return accuracy


if __name__ == "__main__":
    main()
