import torch
from small import DIM, Small, measure, train
from torch import nn


class Mixture(Small):
    """Four experts, of which each token chooses two by itself (Shazeer et al. 2017)."""

    def __init__(self):
        super().__init__()
        self.router = nn.Linear(DIM, 4)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(DIM, DIM), nn.GELU()) for _ in range(4))

    def mix(self, x):
        x = super().mix(x)
        weights, chosen = self.router(x).softmax(-1).topk(2, dim=-1)
        mixed = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            weight = (weights * (chosen == number)).sum(-1)
            there = weight > 0
            mixed[there] = mixed[there] + weight[there, None] * expert(x[there])
        return x + mixed


measure(train(Mixture()))
