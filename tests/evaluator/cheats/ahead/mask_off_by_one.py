import torch
from small import Small, measure, train


class OffByOne(Small):
    def visible(self, length):
        return torch.ones(length, length, dtype=torch.bool).tril(diagonal=1)


measure(train(OffByOne()))
