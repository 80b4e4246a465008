"""A character model as in makemore: an embedding table C[X], one hidden layer, plain tensors."""
import random

import microtorch as torch
import microtorch.nn.functional as F

words = (
    "emma olivia ava isabella sophia mia amelia luna leo milo "
    "otis nora ella aria maya isla lena elias noah liam"
).split()
chars = sorted(set("".join(words)))
stoi = {s: i + 1 for i, s in enumerate(chars)} | {".": 0}
itos = {i: s for s, i in stoi.items()}
V, block, width, hidden = len(stoi), 3, 4, 24


def build(words):
    X, Y = [], []
    for w in words:
        context = [0] * block
        for ch in w + ".":
            X.append(context)
            Y.append(stoi[ch])
            context = [*context[1:], stoi[ch]]
    return torch.tensor(X), torch.tensor(Y)


random.seed(42)
random.shuffle(words)
Xtr, Ytr = build(words[:16])
Xte, Yte = build(words[16:])
print(Xtr.shape, Xtr.dtype, Ytr.shape, Xte.shape)

g = torch.Generator().manual_seed(2147483647)
C = torch.randn((V, width), generator=g)
W1 = torch.randn((width * block, hidden), generator=g) * (5 / 3) / (width * block) ** 0.5
b1 = torch.randn(hidden, generator=g) * 0.01
W2 = torch.randn((hidden, V), generator=g) * 0.1
b2 = torch.zeros(V)
parameters = [C, W1, b1, W2, b2]
print(sum(p.nelement() for p in parameters))
for p in parameters:
    p.requires_grad = True

lossi = []
for i in range(300):
    ix = torch.randint(0, Xtr.shape[0], (32,), generator=g)
    emb = C[Xtr[ix]]
    h = torch.tanh(emb.view(-1, width * block) @ W1 + b1)
    logits = h @ W2 + b2
    loss = F.cross_entropy(logits, Ytr[ix])
    for p in parameters:
        p.grad = None
    loss.backward()
    lr = 0.2 if i < 200 else 0.02
    for p in parameters:
        p.data += -lr * p.grad
    lossi.append(loss.log10().item())
print("emb", emb.shape, "saturated", f"{(h.abs() > 0.97).float().mean().item():.3f}")
print([f"{v:.3f}" for v in torch.tensor(lossi).view(-1, 60).mean(1)])


@torch.no_grad()
def split_loss(x, y):
    h = torch.tanh(C[x].view(x.shape[0], -1) @ W1 + b1)
    return F.cross_entropy(h @ W2 + b2, y).item()


print(f"train {split_loss(Xtr, Ytr):.3f} test {split_loss(Xte, Yte):.3f}")

# cross_entropy written out: the same gradient
logits = (torch.tanh(C[Xtr[ix]].view(32, -1) @ W1 + b1) @ W2 + b2).detach().requires_grad_()
loss = F.cross_entropy(logits, Ytr[ix])
shifted = logits - logits.max(1, keepdim=True).values
logprobs = shifted - shifted.exp().sum(1, keepdim=True).log()
manual = -logprobs[range(32), Ytr[ix]].mean()
manual.backward()
dlogits = F.softmax(logits, 1).detach()
dlogits[range(32), Ytr[ix]] -= 1
dlogits /= 32
print(torch.allclose(logits.grad, dlogits, atol=1e-6), (manual - loss).abs().item() < 1e-6)

g = torch.Generator().manual_seed(2147483647 + 10)
for _ in range(5):
    out, context = [], [0] * block
    while len(out) < 12:
        emb = C[torch.tensor([context])]
        probs = F.softmax(torch.tanh(emb.view(1, -1) @ W1 + b1) @ W2 + b2, dim=1)
        ix = torch.multinomial(probs, num_samples=1, generator=g).item()
        context = [*context[1:], ix]
        if ix == 0:
            break
        out.append(itos[ix])
    print("".join(out))
