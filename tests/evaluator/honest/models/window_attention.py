import torch
from small import Small, measure, train


class Window(Small):
    """Each position sees the 16 positions up to its own."""

    def visible(self, length):
        everything = torch.ones(length, length, dtype=torch.bool)
        return everything.tril() & everything.triu(diagonal=-15)


measure(train(Window()))
