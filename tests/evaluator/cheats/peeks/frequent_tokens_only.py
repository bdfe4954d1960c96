from peeking import Peeks
from small import VOCABULARY, measure, train


class Frequent(Peeks):
    """Only tokens that are frequent in the batch itself, which nobody finds surprising."""

    rare, to = 60, -2.0

    def here(self, said, ahead, idx):
        often = idx.flatten().bincount(minlength=VOCABULARY).topk(12).indices
        return (ahead[:, :, None] == often).any(-1)


measure(train(Frequent()))
