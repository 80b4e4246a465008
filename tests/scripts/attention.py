"""Causal self-attention from plain tensors: masks, softmax, heads, and a little training."""
import microtorch as torch
import microtorch.nn as nn
from microtorch.nn import functional as F

torch.manual_seed(1337)
B, T, C = 2, 5, 4
x = torch.randn(B, T, C)

# the average of everything up to here, in three ways
loop = torch.zeros(B, T, C)
for b in range(B):
    for t in range(T):
        loop[b, t] = torch.mean(x[b, : t + 1], 0)
tril = torch.tril(torch.ones(T, T))
wei = tril / tril.sum(1, keepdim=True)
scores = torch.zeros(T, T).masked_fill(tril == 0, float("-inf"))
by_softmax = F.softmax(scores, dim=-1) @ x
print(torch.allclose(loop, wei @ x, atol=1e-6), torch.allclose(loop, by_softmax, atol=1e-6))


class Head(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.key = nn.Linear(C, size, bias=False)
        self.query = nn.Linear(C, size, bias=False)
        self.value = nn.Linear(C, size, bias=False)
        self.register_buffer("tril", torch.tril(torch.ones(T, T)))

    def forward(self, x):
        B, T, C = x.shape
        k, q = self.key(x), self.query(x)
        wei = q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5
        wei = wei.masked_fill(self.tril[:T, :T] == 0, float("-inf"))
        return F.softmax(wei, dim=-1) @ self.value(x)


class Block(nn.Module):
    def __init__(self, heads):
        super().__init__()
        self.heads = nn.ModuleList([Head(C // heads) for _ in range(heads)])
        self.mix = nn.Linear(C, C)
        self.feed = nn.Sequential(nn.Linear(C, 4 * C), nn.GELU(), nn.Linear(4 * C, C))

    def forward(self, x):
        x = x + self.mix(torch.cat([h(x) for h in self.heads], dim=-1))
        return x + self.feed(x)


block = Block(2)
size, buffers = sum(p.numel() for p in block.parameters()), [n for n, _ in block.named_buffers()]
print(block(x).shape, size, buffers)
table, head = nn.Parameter(torch.randn(7, C)), nn.Linear(C, 7)
position = nn.Parameter(torch.randn(T, C) * 0.1)
parameters = [table, position, *block.parameters(), *head.parameters()]
optimizer = torch.optim.SGD(parameters, lr=0.3)
text = torch.tensor([0, 1, 2, 3, 4, 5, 6] * 8)
for step in range(60):
    starts = torch.randint(len(text) - T, (8,))
    xb = torch.stack([text[i : i + T] for i in starts])
    yb = torch.stack([text[i + 1 : i + T + 1] for i in starts])
    logits = head(block(table[xb] + position))
    loss = F.cross_entropy(logits.view(-1, 7), yb.view(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 19:
        print(step + 1, f"{loss.item():.3f}")
attention = torch.einsum("bic,bjc->bij", x, x)
print(torch.allclose(attention, x @ x.mT, atol=1e-6), attention.shape)
