import torch
from small import Small, measure, train


class Blocks(Small):
    """Attention by blocks of 8 whose mask compares numbers of blocks instead of positions."""

    def visible(self, length):
        block = torch.arange(length) // 8
        return block[:, None] >= block[None, :]


measure(train(Blocks()))
