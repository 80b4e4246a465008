"""Layers beyond Linear: what they print, the shapes they give, a step of each kind of network."""
import microtorch as torch
from microtorch import nn

torch.manual_seed(0)
cnn = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1, bias=False),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.AvgPool2d(2),
    nn.Conv2d(8, 8, 3, stride=2, groups=2),
    nn.GroupNorm(2, 8),
    nn.GELU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Dropout(0.2),
    nn.Linear(8, 3),
)
print(cnn)
x = torch.randn(4, 3, 12, 12)
for layer in cnn:
    x = layer(x)
    print(type(layer).__name__, tuple(x.shape))
print(x)
print(cnn[1].running_mean, cnn[1].num_batches_tracked)
print(list(cnn.state_dict())[:6])


class Reader(nn.Module):
    def __init__(self, words, size):
        super().__init__()
        self.embedding = nn.Embedding(words, size, padding_idx=0)
        self.lstm = nn.LSTM(size, 6, num_layers=2, batch_first=True, bidirectional=True)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, words)

    def forward(self, tokens):
        x, (h, c) = self.lstm(self.embedding(tokens))
        y, weights = self.attention(x, x, x, key_padding_mask=tokens == 0)
        return self.head(self.norm(x + y)), h, c, weights


reader = Reader(10, 5)
print(reader)
tokens = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 0]])
optimizer = torch.optim.AdamW(reader.parameters(), lr=0.01)
for step in range(5):
    logits, h, c, weights = reader(tokens)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step} loss {loss.item():.4f}")
print(logits.shape, h.shape, c.shape)
print(weights[1].detach())
print(reader.embedding.weight.grad[0], reader.embedding.weight.grad[8])
print(optimizer)
