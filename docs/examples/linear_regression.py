"""Linear regression: a line through noisy points, by gradients written out and by an optimizer.

The least-squares solution is known in closed form, so that both can be compared with it.
"""
import drawing

import microtorch as torch


def main():
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 50).unsqueeze(1)
    y = 2 * x - 0.5 + 0.2 * torch.randn(50, 1)

    # by hand: w and b are two tensors, and a step subtracts their gradients
    w, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    for _ in range(100):
        loss = ((x * w + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.5 * w.grad
            b -= 0.5 * b.grad
        w.grad = b.grad = None

    # the same with a layer, a loss and an optimizer
    line = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(line.parameters(), lr=0.5)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(line(x), y).backward()
        optimizer.step()

    design = torch.cat([x, torch.ones(50, 1)], dim=1)
    exact = torch.linalg.lstsq(design, y).solution.flatten()
    print(f"by hand    y = {w.item():.3f} x + {b.item():.3f}, loss {loss.item():.4f}")
    print(f"optimizer  y = {line.weight.item():.3f} x + {line.bias.item():.3f}")
    print(f"exact      y = {exact[0].item():.3f} x + {exact[1].item():.3f}")
    if drawing.draws():
        drawing.points(
            "linear_regression",
            {"points": torch.cat([x, y], 1), "line": torch.cat([x, line(x).detach()], 1)},
            "A line through noisy points",
        )
    hand = torch.cat([w, b]).detach()
    layer = torch.cat([line.weight.flatten(), line.bias]).detach()
    return max((hand - exact).abs().max().item(), (layer - exact).abs().max().item())


if __name__ == "__main__":
    main()
