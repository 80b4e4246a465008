"""A graph network on Zachary's karate club: who goes with whom, from two labels.

Kipf and Welling 2017. A layer mixes the features of neighbours, with weights 1/sqrt(deg deg), and
then maps them. The club of 34 members split in two; of the two leaders alone the side is known.
"""
import math

import drawing

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn

# Zachary 1977: friends of each member, those with a higher number
FRIENDS = [
    [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31], [2, 3, 7, 13, 17, 19, 21, 30],
    [3, 7, 8, 9, 13, 27, 28, 32], [7, 12, 13], [6, 10], [6, 10, 16], [16], [], [30, 32, 33], [33],
    [], [], [], [33], [32, 33], [32, 33], [], [], [32, 33], [33], [32, 33], [], [32, 33],
    [25, 27, 29, 32, 33], [25, 27, 31], [31], [29, 33], [33], [31, 33], [32, 33], [32, 33],
    [32, 33], [33], [],
]  # fmt: skip
OFFICER = {8, 9, 14, 15, 18, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33}


class Layer(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.map = nn.Linear(inputs, outputs)

    def forward(self, x, source, target, weight):
        messages = self.map(x)[source] * weight.unsqueeze(1)
        return torch.zeros(len(x), messages.shape[1]).index_add(0, target, messages)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Layer(34, 8), Layer(8, 2)

    def forward(self, *graph):
        x = torch.tanh(self.first(torch.eye(34), *graph))
        return self.second(x, *graph)


def main():
    torch.manual_seed(0)
    pairs = [(a, b) for a, friends in enumerate(FRIENDS) for b in friends]
    pairs += [(b, a) for a, b in pairs] + [(a, a) for a in range(34)]
    source, target = torch.tensor(pairs).T
    degree = torch.bincount(target).float()
    weight = 1 / (degree[source] * degree[target]).sqrt()
    sides = torch.tensor([int(i in OFFICER) for i in range(34)])
    known = torch.tensor([0, 33])  # the instructor and the officer

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-3)
    for step in range(150):
        scores = model(source, target, weight)
        loss = F.cross_entropy(scores[known], sides[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            right = (scores.argmax(1) == sides).sum().item()
            print(f"step {step + 1}  loss {loss.item():.4f}  right {right} of 34")
    if drawing.draws():
        angle = torch.arange(34) * (2 * math.pi / 34)
        place = scores.detach() + 0.05 * torch.stack([angle.cos(), angle.sin()], 1)
        one, two = place[sides == 0], place[sides == 1]
        drawing.points("graph_network", {"instructor": one, "officer": two}, "Scores of 34 members")
    return right


if __name__ == "__main__":
    main()
