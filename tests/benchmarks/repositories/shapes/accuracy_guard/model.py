"""A nearest-neighbour classifier that may keep only some of what it saw."""

NEIGHBOURS = 3
KEEP_EVERY = 2
DISTANCE_POWER = 2.0
ROUND_TO = 2


def fit(points):
    return [((round(x, ROUND_TO), round(y, ROUND_TO)), label) for (x, y), label in points[::KEEP_EVERY]]


def predict(kept, point):
    def far(each):
        return sum(abs(a - b) ** DISTANCE_POWER for a, b in zip(each[0], point))

    nearest = sorted(kept, key=far)[:NEIGHBOURS]
    votes = [label for _, label in nearest]
    return max(set(votes), key=votes.count)
