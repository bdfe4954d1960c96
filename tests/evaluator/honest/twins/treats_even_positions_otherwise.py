import torch
from small import DIM, Small, measure, train
from torch import nn


class Alternates(Small):
    """Each second position has a bias of its own, and none looks ahead."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(DIM))

    def mix(self, x):
        even = torch.arange(x.size(1)) % 2 == 0
        return super().mix(x) + even[:, None] * self.bias


measure(train(Alternates()))
