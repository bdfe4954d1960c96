import math


def cosine(part):
    """Return the share of the peak learning rate after this part of the training."""
    return 0.05 + 0.95 * (1 + math.cos(math.pi * min(part, 1.0))) / 2
