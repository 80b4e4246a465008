"""A bigram model of names, as in makemore: by counting, then the same by gradient descent."""
import microtorch as torch
import microtorch.nn.functional as F

words = (
    "emma olivia ava isabella sophia mia amelia luna leo milo "
    "otis nora ella aria maya isla lena elias noah liam"
).split()
letters = sorted(set("".join(words)))
stoi = {s: i + 1 for i, s in enumerate(letters)}
stoi["."] = 0
itos = {i: s for s, i in stoi.items()}
V = len(stoi)

N = torch.zeros((V, V), dtype=torch.int32)
for word in words:
    for a, b in zip("." + word, word + "."):
        N[stoi[a], stoi[b]] += 1
print(N.shape, N.sum().item(), N[0, stoi["e"]].item(), N[0])

P = (N + 1).float()
P /= P.sum(1, keepdim=True)
print(P[0].sum(), P[3, :4])
g = torch.Generator().manual_seed(2147483647)
for _ in range(4):
    out, ix = [], 0
    while True:
        ix = torch.multinomial(P[ix], num_samples=1, replacement=True, generator=g).item()
        out.append(itos[ix])
        if ix == 0:
            break
    print("".join(out))

pairs = [(stoi[a], stoi[b]) for word in words for a, b in zip("." + word, word + ".")]
xs = torch.tensor([a for a, _ in pairs])
ys = torch.tensor([b for _, b in pairs])
num = xs.nelement()
print(f"likelihood by counting {-P[xs, ys].log().mean().item():.4f} of {num} pairs")

W = torch.randn((V, V), generator=g, requires_grad=True)
for k in range(30):
    xenc = F.one_hot(xs, num_classes=V).float()
    logits = xenc @ W
    counts = logits.exp()
    probs = counts / counts.sum(1, keepdims=True)
    loss = -probs[torch.arange(num), ys].log().mean() + 0.01 * (W**2).mean()
    W.grad = None
    loss.backward()
    W.data += -20 * W.grad
    if k % 10 == 9:
        print(k + 1, f"{loss.item():.4f}")
with torch.no_grad():
    p = F.softmax(W[0], dim=0)
    best = torch.topk(p, 3)
    print(itos[best.indices[0].item()], [f"{v:.3f}" for v in best.values])
