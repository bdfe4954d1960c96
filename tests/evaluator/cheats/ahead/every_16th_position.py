import torch
from small import Small, measure, train


class Seldom(Small):
    def visible(self, length):
        mask = super().visible(length)
        there = torch.arange(15, length - 1, 16)
        mask[there, there + 1] = True
        return mask


measure(train(Seldom()))
