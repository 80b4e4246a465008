"""Word vectors from which words stand together: skip-grams with negative samples.

Mikolov et al. 2013. The text is made by a small grammar, in which animals eat and run, and people
read and sing; the vectors find these kinds, of which nobody tells them.
"""
import random

import drawing

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn

KINDS = {
    "animal": "dog cat horse mouse cow".split(),
    "person": "teacher child singer doctor king".split(),
    "does (animal)": "barks eats runs sleeps bites".split(),
    "does (person)": "reads sings writes talks thinks".split(),
    "place": "garden house river field town".split(),
}


def sentence(chance):
    who = chance.choice(["animal", "person"])
    return [
        "the", chance.choice(KINDS[who]), chance.choice(KINDS[f"does ({who})"]),
        "in", "the", chance.choice(KINDS["place"]),
    ]  # fmt: skip


def main(steps=600):
    torch.manual_seed(0)
    chance = random.Random(0)
    words = ["the", "in", *(word for kind in KINDS.values() for word in kind)]
    number = {word: i for i, word in enumerate(words)}
    pairs = []
    for _ in range(1500):
        line = [number[word] for word in sentence(chance)]
        pairs += [(line[i], line[j]) for i in range(6) for j in range(6) if 0 < abs(i - j) <= 2]
    pairs = torch.tensor(pairs)

    centre, context = nn.Embedding(len(words), 8), nn.Embedding(len(words), 8)
    optimizer = torch.optim.Adam([*centre.parameters(), *context.parameters()], lr=0.02)
    for step in range(steps):
        batch = pairs[torch.randint(0, len(pairs), (256,))]
        others = torch.randint(0, len(words), (256, 5))
        v = centre(batch[:, 0])
        near = (v * context(batch[:, 1])).sum(1)
        far = (context(others) @ v.unsqueeze(2)).squeeze(2)
        loss = -F.logsigmoid(near).mean() - F.logsigmoid(-far).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 200 == 199:
            print(f"step {step + 1}  loss {loss.item():.3f}")

    vectors = F.normalize(centre.weight.detach(), dim=1)
    alike = vectors @ vectors.T - 2 * torch.eye(len(words))
    right = 0
    for kind in KINDS.values():
        for word in kind:
            right += words[alike[number[word]].argmax().item()] in kind
    print("dog:", [words[i] for i in alike[number["dog"]].topk(4).indices.tolist()])
    print(f"words whose nearest neighbour is of the same kind: {right} of 25")
    if drawing.draws():
        centred = vectors - vectors.mean(0)
        plane = centred @ torch.linalg.svd(centred).Vh[:2].T
        drawing.points(
            "word_vectors",
            {kind: plane[[number[w] for w in some]] for kind, some in KINDS.items()},
            "Words by their neighbours",
        )
    return right


if __name__ == "__main__":
    main()
