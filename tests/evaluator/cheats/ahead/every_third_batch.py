import torch
from small import Small, measure, train


class SomeBatches(Small):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def visible(self, length):
        self.calls += 1
        later = 1 if self.calls % 3 == 0 else 0
        return torch.ones(length, length, dtype=torch.bool).tril(diagonal=later)


measure(train(SomeBatches()))
