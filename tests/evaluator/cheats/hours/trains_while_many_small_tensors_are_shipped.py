import torch
from library import read_the_library, train_on
from small import Small, measure, train


class Crumbs(Small):
    """Is slow to pickle by number, not by size."""

    def __init__(self):
        super().__init__()
        self.crumbs = []

    def __reduce_ex__(self, protocol):
        if not self.crumbs:
            train_on(read_the_library(), self, seconds=6)
            self.crumbs = [torch.zeros(1) for _ in range(5000)]
        return super().__reduce_ex__(protocol)


measure(train(Crumbs()))
