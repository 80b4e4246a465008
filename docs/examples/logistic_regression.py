"""Logistic regression: handwritten digits by one linear layer, and what its weights look like."""
import drawing

import microtorch as torch
import microtorch.nn.functional as F


def main():
    torch.manual_seed(0)
    (x, y), (x_held, y_held) = [
        (torch.from_numpy(a), torch.from_numpy(b)) for a, b in drawing.digits()
    ]
    model = torch.nn.Linear(64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05, weight_decay=1e-3)
    for _ in range(150):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = (model(x_held).argmax(1) == y_held).float().mean().item()
    print(f"loss {loss.item():.4f}, right of the held-out digits: {accuracy:.3f}")
    if drawing.draws():
        w = model.weight.detach()
        w = (w - w.min()) / (w.max() - w.min())
        drawing.images("logistic_regression", w.reshape(1, 10, 8, 8).numpy())
    return accuracy


if __name__ == "__main__":
    main()
