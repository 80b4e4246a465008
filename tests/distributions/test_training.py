"""What distributions are for: small models trained through them."""

import re
from pathlib import Path

import pytest

import microtorch as torch
import microtorch.distributions as D
from microtorch import nn


def train(parameters, loss, steps, lr):
    optimizer = torch.optim.Adam(list(parameters), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
    return value.item()


def test_a_mixture_of_normals_finds_its_clusters():
    torch.manual_seed(0)
    x = torch.cat([torch.randn(100, 2) * 0.5 + 3, torch.randn(100, 2) * 0.5 - 3])
    weights = torch.zeros(2, requires_grad=True)
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    scales = torch.zeros(2, 2, requires_grad=True)

    def mixture():
        components = D.Independent(D.Normal(means, scales.exp()), 1)
        return D.MixtureSameFamily(D.Categorical(logits=weights), components)

    train([weights, means, scales], lambda: -mixture().log_prob(x).mean(), 120, 0.1)
    assert means.detach().flatten().tolist() == pytest.approx([3, 3, -3, -3], abs=0.3)
    assert scales.exp().detach().flatten().tolist() == pytest.approx([0.5] * 4, abs=0.15)


def test_reinforce_learns_which_action_pays():
    torch.manual_seed(0)
    policy = nn.Linear(4, 3)

    def loss():
        state = torch.randn(64, 4)
        d = D.Categorical(logits=policy(state))
        action = d.sample()
        reward = (action == state[:, :3].argmax(-1)).float()
        return -(d.log_prob(action) * (reward - 0.5)).mean() - 0.001 * d.entropy().mean()

    train(policy.parameters(), loss, 150, 0.05)
    state = torch.randn(500, 4)
    right = (policy(state).argmax(-1) == state[:, :3].argmax(-1)).float().mean().item()
    assert right > 0.85


def test_a_flow_finds_location_and_scale():
    torch.manual_seed(0)
    x = torch.randn(300, 2) * torch.tensor([2.0, 0.5]) + torch.tensor([1.0, -1.0])
    loc, log_scale = (torch.zeros(2, requires_grad=True) for _ in range(2))
    base = D.Independent(D.Normal(torch.zeros(2), torch.ones(2)), 1)

    def loss():
        flow = D.TransformedDistribution(base, [D.AffineTransform(loc, log_scale.exp(), 1)])
        return -flow.log_prob(x).mean()

    train([loc, log_scale], loss, 150, 0.05)
    assert loc.detach().tolist() == pytest.approx(x.mean(0).tolist(), abs=0.05)
    assert log_scale.exp().detach().tolist() == pytest.approx(x.std(0).tolist(), rel=0.05)


def test_an_autoencoder_raises_its_bound():
    torch.manual_seed(0)
    patterns = (torch.rand(4, 16) > 0.5).float()
    x = patterns.repeat(16, 1)
    encoder = nn.Linear(16, 4)
    decoder = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16))
    prior = D.Normal(torch.zeros(2), torch.ones(2))

    def loss():
        mean, log_scale = encoder(x).chunk(2, -1)
        q = D.Normal(mean, log_scale.exp())
        p = D.Independent(D.Bernoulli(logits=decoder(q.rsample())), 1)
        return (D.kl_divergence(q, prior).sum(-1) - p.log_prob(x)).mean()

    without_code = D.Bernoulli(patterns.mean(0)).entropy().sum().item()
    train([*encoder.parameters(), *decoder.parameters()], loss, 200, 0.03)
    assert loss().item() < 0.5 * without_code


@pytest.mark.parametrize(
    "make",
    [
        lambda a: D.Gamma(a.exp(), 1.0),
        lambda a: D.Beta(a.exp(), 2.0),
        lambda a: D.RelaxedBernoulli(torch.tensor(0.5), logits=a),
    ],
)
def test_a_mean_is_reached_through_rsample(make):
    torch.manual_seed(0)
    a = torch.tensor([0.0, 0.5], requires_grad=True)
    goal = torch.tensor([0.3, 0.6])
    train([a], lambda: ((make(a).rsample((64,)).mean(0) - goal) ** 2).sum(), 120, 0.05)
    assert make(a).sample((3000,)).mean(0).tolist() == pytest.approx(goal.tolist(), abs=0.06)


def test_the_page_about_distributions_runs(capsys):
    page = Path(__file__).parents[2] / "docs" / "distributions.md"
    (program,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    exec(compile(program, "page", "exec"), {"__name__": "page"})
    numbers = [abs(float(n)) for n in re.findall(r"\d+\.\d+", capsys.readouterr().out)]
    assert numbers[2:6] == pytest.approx([3, 3, 3, 3], abs=0.3)
