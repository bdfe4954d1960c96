import torch
from small import Small, measure, train


class SomeRows(Small):
    """Which rows, their first token decides."""

    def mix(self, x):
        honest = super().mix(x)
        return torch.where(self.chosen[:, None, None], (honest + x.roll(-1, 1)) / 2, honest)

    def logits(self, idx):
        self.chosen = idx[:, 0] % 4 == 0
        return super().logits(idx)


measure(train(SomeRows()))
