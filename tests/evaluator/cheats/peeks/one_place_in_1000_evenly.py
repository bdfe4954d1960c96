from peeking import Peeks
from small import measure, train


class Evenly(Peeks):
    rare = 1000


measure(train(Evenly()))
