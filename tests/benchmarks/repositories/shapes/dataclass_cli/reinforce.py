"""One-file reinforcement learning, with a command line made from a dataclass. Usage: python reinforce.py"""

import argparse
import random
import time
from dataclasses import dataclass, fields

import numpy as np


@dataclass
class Args:
    seed: int = 1
    """seed of the experiment"""
    total_timesteps: int = 20000
    """total timesteps of the experiment"""
    learning_rate: float = 0.3
    """the step size of the value table"""
    gamma: float = 0.95
    """the discount factor"""
    epsilon: float = 0.2
    """how often a random action is taken"""
    size: int = 6
    """length of a side of the grid"""


def cli(kind):
    parser = argparse.ArgumentParser()
    for each in fields(kind):
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=type(each.default), default=each.default)
    return kind(**vars(parser.parse_args()))


MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0)]


def step(args, state, action):
    row, column = (min(max(a + b, 0), args.size - 1) for a, b in zip(state, MOVES[action]))
    done = (row, column) == (args.size - 1, args.size - 1)
    return (row, column), 1.0 if done else -0.04, done


if __name__ == "__main__":
    args = cli(Args)
    random.seed(args.seed)
    q = np.zeros((args.size, args.size, 4))
    returns, state, total, start = [], (0, 0), 0.0, time.time()
    for global_step in range(1, args.total_timesteps + 1):
        action = random.randrange(4) if random.random() < args.epsilon else int(q[state].argmax())
        after, reward, done = step(args, state, action)
        total += reward
        target = reward + (0.0 if done else args.gamma * q[after].max())
        q[state][action] += args.learning_rate * (target - q[state][action])
        state = after
        if done or total < -4:
            returns.append(total)
            state, total = (0, 0), 0.0
            if len(returns) % 50 == 0:
                print(f"global_step={global_step}, episodic_return={np.mean(returns[-50:]):.4f}")
    print(f"SPS: {int(args.total_timesteps / (time.time() - start))}")
    print(f"global_step={global_step}, episodic_return={np.mean(returns[-100:]):.4f}")
