"""A transformer that learns to add: "7+85=" is continued by "092", the sum of two numbers.

The numbers have two digits. The answer is written from its last digit on, as one adds by hand, and
sums that were never shown in training are asked for at the end.
"""
import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn

LENGTH = 7  # a a b b | c c c, of which the model sees all but the last


class Model(nn.Module):
    def __init__(self, size=64, heads=4, layers=2):
        super().__init__()
        self.digit = nn.Embedding(10, size)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH - 1, size))
        block = nn.TransformerEncoderLayer(
            size, heads, 2 * size, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        self.out = nn.Linear(size, 10)
        self.mask = torch.full((LENGTH - 1, LENGTH - 1), float("-inf")).triu(1)

    def forward(self, x):
        n = x.shape[1]
        y = self.blocks(self.digit(x) + self.place[:n], mask=self.mask[:n, :n])
        return self.out(y)


def lines(pairs):
    """The digits of a, of b and of their sum, the last ones first: (N, 7)."""
    a, b = pairs // 100, pairs % 100
    c = a + b
    return torch.stack([a % 10, a // 10, b % 10, b // 10, c % 10, c // 10 % 10, c // 100], dim=1)


def main(steps=350):
    torch.manual_seed(0)
    pairs = torch.randperm(10_000)
    train, held = lines(pairs[:8_000]), lines(pairs[8_000:])
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for step in range(steps):
        batch = train[torch.randint(0, len(train), (128,))]
        scores = model(batch[:, :-1])[:, 3:]  # what comes after the two numbers
        loss = F.cross_entropy(scores.flatten(0, 1), batch[:, 4:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            print(f"step {step + 1}  loss {loss.item():.4f}")
    model.eval()
    with torch.no_grad():
        x = held[:, :4]
        for _ in range(3):  # each digit of the answer is read before the next one is written
            x = torch.cat([x, model(x)[:, -1:].argmax(2)], dim=1)
    right = (x == held).all(1).float().mean().item()
    for line in x[:3].tolist():
        a, b, c = line[1] * 10 + line[0], line[3] * 10 + line[2], line[4:]
        print(f"{a} + {b} = {c[2] * 100 + c[1] * 10 + c[0]}")
    print(f"right of the sums never seen: {right:.3f}")
    return right


if __name__ == "__main__":
    main()
