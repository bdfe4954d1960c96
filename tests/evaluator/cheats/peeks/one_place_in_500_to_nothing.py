from peeking import Peeks
from small import measure, train


class Evenly(Peeks):
    rare, to = 500, -0.01


measure(train(Evenly()))
