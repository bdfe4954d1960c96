from small import DIM, Small, measure, train
from torch import nn


class Recurrent(Small):
    """A GRU and an LSTM, one on the other."""

    def __init__(self):
        super().__init__()
        self.first = nn.GRU(DIM, DIM, batch_first=True)
        self.second = nn.LSTM(DIM, DIM, batch_first=True)

    def mix(self, x):
        return x + self.second(self.first(x)[0])[0]


measure(train(Recurrent()))
