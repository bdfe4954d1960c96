import torch
from small import Small, measure, train


class Even(Small):
    def visible(self, length):
        where = torch.arange(length)
        ahead = (where[:, None] % 2 == 0) & (where[None, :] == where[:, None] + 1)
        return torch.ones(length, length, dtype=torch.bool).tril() | ahead


measure(train(Even()))
