import torch
from small import MAX_SEQ_LEN, Small, measure, train
from torch import nn


class Halves(Small):
    """Scales its answers in the first half of a row otherwise than in the second."""

    def __init__(self):
        super().__init__()
        self.scales = nn.Parameter(torch.ones(2))

    def logits(self, idx):
        half = (torch.arange(idx.size(1)) >= MAX_SEQ_LEN // 2).long()
        return super().logits(idx) * self.scales[half][:, None]


measure(train(Halves()))
