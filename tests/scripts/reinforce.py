"""Policy gradient on a bandit with three arms: sampling, log-probabilities, a baseline."""
import microtorch as torch
import microtorch.nn.functional as F

torch.manual_seed(3)
means = torch.tensor([0.1, 0.9, 0.4])
preference = torch.zeros(3, requires_grad=True)
baseline = 0.0
for episode in range(1, 201):
    policy = F.softmax(preference, dim=0)
    arm = torch.multinomial(policy.detach(), 1).item()
    reward = torch.normal(means[arm], torch.tensor(0.3)).item()
    baseline += 0.1 * (reward - baseline)
    loss = -(reward - baseline) * policy[arm].log() + 0.01 * (policy * policy.log()).sum()
    preference.grad = None
    loss.backward()
    with torch.no_grad():
        preference -= 0.3 * preference.grad
    if episode % 50 == 0:
        print(episode, [f"{p:.3f}" for p in policy.tolist()], f"baseline {baseline:.3f}")
