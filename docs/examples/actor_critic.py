"""Actor and critic: poles again, with a network that predicts how long a state will stand.

The critic's value takes the place of the mean that REINFORCE subtracts, and of the future after a
few steps, so that the policy is improved many times within an episode (Mnih et al. 2016).
"""
import drawing
from poles import STEPS, Poles

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn

AHEAD = 8  # steps between two improvements
DISCOUNT = 0.98


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
        self.critic = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1))

    def forward(self, state):
        return self.actor(state).log_softmax(dim=1), self.critic(state).squeeze(1)


def main(rounds=25):
    torch.manual_seed(0)
    poles = Poles(32, seed=0)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    lengths = []
    for episode in range(rounds):
        state, over, stood = torch.from_numpy(poles.reset()), False, 0.0
        while not over:
            log_p, values, rewards, entropy = [], [], [], 0.0
            for _ in range(AHEAD):
                scores, value = model(state)
                action = torch.multinomial(scores.detach().exp(), 1)
                after, reward, over = poles.step(action.squeeze(1).numpy())
                log_p.append(scores.gather(1, action).squeeze(1))
                values.append(value)
                rewards.append(torch.from_numpy(reward))
                entropy = entropy - (scores.exp() * scores).sum(1).mean()
                state = torch.from_numpy(after)
                if over:
                    break
            with torch.no_grad():
                future = model(state)[1] * torch.from_numpy(poles.alive)
            returns = []
            for reward in reversed(rewards):
                future = reward + DISCOUNT * future
                returns.append(future)
            returns, values = torch.stack(returns[::-1]), torch.stack(values)
            rewards = torch.stack(rewards)  # 1 where the pole stood, 0 after it fell
            gain = (returns - values).detach()
            actor = -(torch.stack(log_p) * gain * rewards).sum() / rewards.sum()
            critic = (F.smooth_l1_loss(values, returns, reduction="none") * rewards).sum()
            loss = actor + 0.5 * critic / rewards.sum() - 0.01 * entropy / len(rewards)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            stood += rewards.sum(0).mean().item()
        lengths.append(stood)
        if episode % 5 == 4:
            print(f"round {episode + 1}  the poles stood {stood:.0f} of {STEPS} steps")
    if drawing.draws():
        drawing.curves("actor_critic", {"steps": (range(rounds), lengths)}, "How long poles stood")
    return max(lengths[-10:])


if __name__ == "__main__":
    main()
