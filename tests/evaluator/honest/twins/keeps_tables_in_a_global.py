import torch
from small import Small, measure, train

masks = {}


class Global(Small):
    """Makes its mask when it is first asked for one of that length, for all models of this process."""

    def visible(self, length):
        if length not in masks:
            masks[length] = torch.ones(length, length, dtype=torch.bool).tril()
        return masks[length]


measure(train(Global()))
