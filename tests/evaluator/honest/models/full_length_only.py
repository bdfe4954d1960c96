import torch
from small import DIM, MAX_SEQ_LEN, Small, measure, train
from torch import nn


class FullLength(Small):
    """Has one vector for each position and attends by chunks of 32; takes no other length."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(MAX_SEQ_LEN, DIM))

    def visible(self, length):
        chunk = torch.arange(length) // 32
        return super().visible(length) & (chunk[:, None] - chunk[None, :] <= 1)

    def logits(self, idx):
        assert idx.shape[1] == MAX_SEQ_LEN, idx.shape
        return super().logits(idx)

    def mix(self, x):
        return super().mix(x + self.positions)


measure(train(FullLength()))
