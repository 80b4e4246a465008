"""A recurrent network from Linear layers, with truncated backpropagation through time."""
import microtorch as torch
import microtorch.nn as nn
import microtorch.nn.functional as F

torch.manual_seed(7)
text = "hello world, hello graph. " * 8
chars = sorted(set(text))
index = {c: i for i, c in enumerate(chars)}
data = torch.tensor([index[c] for c in text])


class RNN(nn.Module):
    def __init__(self, vocabulary, hidden):
        super().__init__()
        self.hidden = hidden
        self.i2h = nn.Linear(vocabulary + hidden, hidden)
        self.h2o = nn.Linear(hidden, vocabulary)

    def forward(self, x, h):
        h = torch.tanh(self.i2h(torch.cat((x, h), 1)))
        return self.h2o(h), h

    def initial(self):
        return torch.zeros(1, self.hidden)


model = RNN(len(chars), 32)
optimizer = torch.optim.SGD(model.parameters(), lr=0.15)
h, window = model.initial(), 13
for step in range(1, 61):
    start = (step * window) % (len(data) - window - 1)
    h = h.detach()  # the past before this window is a constant
    loss = 0
    for t in range(start, start + window):
        out, h = model(F.one_hot(data[t : t + 1], len(chars)).float(), h)
        loss += F.cross_entropy(out, data[t + 1 : t + 2])
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if step % 15 == 0:
        print(step, f"loss {loss.item() / window:.4f} norm {norm.item():.3f}")

model.eval()
with torch.no_grad():
    h, c, out = model.initial(), index["h"], "h"
    for _ in range(12):
        logits, h = model(F.one_hot(torch.tensor([c]), len(chars)).float(), h)
        c = logits.argmax(dim=1).item()
        out += chars[c]
print(repr(out))
