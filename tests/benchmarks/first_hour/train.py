"""Fit a line to noisy points by stochastic gradient descent; prints the loss on points held out."""

import argparse
import random

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--momentum", type=float, default=0.5)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--log-every", type=int, default=5)
args = parser.parse_args()

rng = random.Random(args.seed)
points = [(x := rng.uniform(-1, 1), 3 * x - 1 + rng.gauss(0, 0.3)) for _ in range(600)]
train, held_out = points[:500], points[500:]
w = b = vw = vb = 0.0
for epoch in range(args.epochs):
    rng.shuffle(train)
    for start in range(0, len(train), args.batch_size):
        batch = train[start : start + args.batch_size]
        gw = sum(2 * (w * x + b - y) * x for x, y in batch) / len(batch)
        gb = sum(2 * (w * x + b - y) for x, y in batch) / len(batch)
        vw, vb = args.momentum * vw - args.lr * gw, args.momentum * vb - args.lr * gb
        w, b = w + vw, b + vb
    if epoch % args.log_every == 0:
        print(f"epoch {epoch}: w {w:.3f} b {b:.3f}")
loss = sum((w * x + b - y) ** 2 for x, y in held_out) / len(held_out)
print(f"val loss {loss:.4f}")
