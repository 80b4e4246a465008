"""A small environment for the two examples of learning by reward: a pole to be kept upright.

The equations are those of an inverted pendulum on a cart that an action pushes left or right; an
episode ends when the pole leans more than 12 degrees, the cart leaves the track, or after 200
steps. Many episodes run at once, in numpy.
"""
import math

import numpy as np

STEPS = 200


class Poles:
    """`n` poles. A state has four numbers: place, speed, angle, angular speed."""

    def __init__(self, n, seed):
        self.random = np.random.default_rng(seed)
        self.n = n

    def reset(self):
        self.state = self.random.uniform(-0.05, 0.05, (self.n, 4))
        self.alive = np.ones(self.n, bool)
        self.age = 0
        return self.state.astype(np.float32)

    def step(self, actions):
        """Push by 0 (left) or 1 (right). Returns states, rewards (1 while upright), all over?"""
        _, v, angle, spin = self.state.T
        force = np.where(np.asarray(actions) == 1, 10.0, -10.0)
        sine, cosine = np.sin(angle), np.cos(angle)
        push = (force + 0.05 * spin**2 * sine) / 1.1
        turn = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        move = push - 0.05 * turn * cosine / 1.1
        change = np.stack([v, move, spin, turn], axis=1)
        self.state = np.where(self.alive[:, None], self.state + 0.02 * change, self.state)
        rewards = self.alive.astype(np.float32)
        upright = (abs(self.state[:, 2]) < math.radians(12)) & (abs(self.state[:, 0]) < 2.4)
        self.alive &= upright
        self.age += 1
        return self.state.astype(np.float32), rewards, not self.alive.any() or self.age == STEPS
