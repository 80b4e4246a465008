"""A network that obeys a differential equation of third order: the Blasius boundary layer.

2 f''' + f f'' = 0 with f(0) = f'(0) = 0 and f'(8) = 1 describes the flow along a flat plate. The
network is trained on the equation alone: its derivatives by its input are taken by autograd, and
the loss is differentiated once more, by the weights. The known value of f''(0) is 0.33206.
"""
import drawing

import microtorch as torch
from microtorch import nn

END = 8.0


def derivatives(f, x):
    """f', f'' and f''' at each point."""
    out = []
    for _ in range(3):
        (f,) = torch.autograd.grad(f.sum(), x, create_graph=True)
        out.append(f)
    return out


def main(steps=100):
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    try:
        network = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(),
                                nn.Linear(20, 1))  # fmt: skip
        x = torch.linspace(0, END, 40).unsqueeze(1).requires_grad_()

        def stream(x):
            s = x / END
            return END * s * s * network(s)  # f(0) = f'(0) = 0 whatever the network is

        def residual():
            f = stream(x)
            d1, d2, d3 = derivatives(f, x)
            return ((2 * d3 + f * d2) ** 2).mean() + (d1[-1] - 1).pow(2).sum(), d1, d2

        optimizer = torch.optim.LBFGS(
            network.parameters(), max_iter=10, line_search_fn="strong_wolfe"
        )

        def closure():
            optimizer.zero_grad()
            loss = residual()[0]
            loss.backward()
            return loss

        for step in range(steps // 5):
            loss = optimizer.step(closure)
            if step % 5 == 4:
                print(f"step {step + 1}  loss {loss.item():.2e}")
        _, d1, d2 = residual()
        print(f"f''(0) = {d2[0].item():.5f}, known: 0.33206")
        if drawing.draws():
            place = x.detach().flatten().tolist()
            drawing.curves(
                "pinn",
                {"f'": (place, d1.flatten().tolist()), "f''": (place, d2.flatten().tolist())},
                "Flow along a plate",
            )
        return abs(d2[0].item() - 0.33206)
    finally:
        torch.set_default_dtype(torch.float32)


if __name__ == "__main__":
    main()
