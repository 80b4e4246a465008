"""An LSTM that reads a text letter by letter, and then writes on."""
import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn

TEXT = (
    "the graph is made forward, value by value, and each value knows its parents. "
    "the chain rule then walks backward, from the last value to the first one, "
    "and each parent receives the gradient of its child times the local derivative. "
    "a value that has many children adds up what they send. "
) * 3


class Reader(nn.Module):
    def __init__(self, letters, size):
        super().__init__()
        self.embed = nn.Embedding(letters, 16)
        self.lstm = nn.LSTM(16, size, batch_first=True)
        self.out = nn.Linear(size, letters)

    def forward(self, x, state=None):
        y, state = self.lstm(self.embed(x), state)
        return self.out(y), state


def main():
    torch.manual_seed(0)
    letters = sorted(set(TEXT))
    number = {c: i for i, c in enumerate(letters)}
    data = torch.tensor([number[c] for c in TEXT])
    model = Reader(len(letters), 96)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    length = 48
    for step in range(120):
        starts = torch.randint(0, len(data) - length - 1, (16,)).tolist()
        x = torch.stack([data[s : s + length] for s in starts])
        y = torch.stack([data[s + 1 : s + length + 1] for s in starts])
        scores, _ = model(x)
        loss = F.cross_entropy(scores.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 40 == 39:
            print(f"step {step + 1}  loss {loss.item():.3f}")

    text, state = "the chain", None
    x = torch.tensor([[number[c] for c in text]])
    with torch.no_grad():
        for _ in range(150):
            scores, state = model(x, state)
            x = scores[:, -1].argmax(1, keepdim=True)
            text += letters[x.item()]
    print(text)
    known = sum(word in TEXT.split() for word in text.split()[:-1]) / len(text.split()[:-1])
    print(f"words that are in the text: {known:.2f}")
    return loss.item(), known


if __name__ == "__main__":
    main()
