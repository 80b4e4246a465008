"""REINFORCE: a policy that balances poles, learnt from nothing but how long they stood.

Williams 1992. The gradient of the expected return is E[return * grad log p(action)]; the mean of
all returns of a step is subtracted, which leaves it unbiased and makes it less noisy.
"""
import drawing
from poles import STEPS, Poles

import microtorch as torch
from microtorch import nn


def main(rounds=35):
    torch.manual_seed(0)
    poles = Poles(32, seed=0)
    policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(policy.parameters(), lr=2e-2)
    lengths = []
    for episode in range(rounds):
        log_p, rewards, over = [], [], False
        state = poles.reset()
        while not over:
            scores = policy(torch.from_numpy(state)).log_softmax(dim=1)
            action = torch.multinomial(scores.detach().exp(), 1)
            state, reward, over = poles.step(action.squeeze(1).numpy())
            log_p.append(scores.gather(1, action).squeeze(1))
            rewards.append(torch.from_numpy(reward))
        rewards = torch.stack(rewards)
        # what is still to come, discounted
        returns, total = [], torch.zeros(poles.n)
        for reward in rewards.flip(0):
            total = reward + 0.98 * total
            returns.append(total)
        returns = torch.stack(returns).flip(0)
        gain = (returns - returns.mean(1, keepdim=True)) / (returns.std() + 1e-6)
        loss = -(torch.stack(log_p) * gain * rewards).sum() / rewards.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        lengths.append(rewards.sum(0).mean().item())
        if episode % 10 == 9:
            print(f"round {episode + 1}  the poles stood {lengths[-1]:.0f} of {STEPS} steps")
    if drawing.draws():
        drawing.curves("reinforce", {"steps": (range(rounds), lengths)}, "How long poles stood")
    return max(lengths[-10:])


if __name__ == "__main__":
    main()
