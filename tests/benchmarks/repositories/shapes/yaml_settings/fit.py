"""Fits two moons. Usage: python fit.py --config conf/default.yaml"""

import json
import math
import sys

import torch
import yaml

with open(sys.argv[sys.argv.index("--config") + 1]) as f:
    cfg = yaml.safe_load(f)


def moons(seed, count):
    g = torch.Generator().manual_seed(seed)
    angle = math.pi * torch.rand(count, generator=g)
    upper = torch.rand(count, generator=g) < 0.5
    x = torch.where(upper, angle.cos(), 1 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    points = torch.stack([x, y], 1) + 0.15 * torch.randn(count, 2, generator=g)
    return points, upper.long()


torch.manual_seed(cfg["seed"])
activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "gelu": torch.nn.GELU}[cfg["model"]["activation"]]
hidden = cfg["model"]["hidden"]
net = torch.nn.Sequential(torch.nn.Linear(2, hidden), activation(), torch.nn.Linear(hidden, 2))
opt = torch.optim.SGD(net.parameters(), lr=cfg["optim"]["lr"], momentum=cfg["optim"]["momentum"])
x, y = moons(0, 800)
for epoch in range(cfg["train"]["epochs"]):
    for rows in torch.randperm(len(x)).split(cfg["optim"]["batch_size"]):
        loss = torch.nn.functional.cross_entropy(net(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
x, y = moons(1, 2000)
with torch.no_grad():
    test = torch.nn.functional.cross_entropy(net(x), y)
print(json.dumps({"epoch": epoch + 1, "train_loss": loss.item(), "test_loss": test.item()}))
