"""Accuracy on rings, and how much the model keeps. Usage: python evaluate.py"""

import math
import os
import random

import model


def rings(seed, count):
    draw = random.Random(seed)
    points = []
    for _ in range(count):
        label = draw.randrange(3)
        angle, radius = draw.uniform(0, 2 * math.pi), label + 1 + draw.gauss(0, 0.35)
        points.append(((radius * math.cos(angle), radius * math.sin(angle)), label))
    return points


seed = int(os.environ.get("NOCTURNE_SEED", "0"))
kept = model.fit(rings(seed + 1, 300))
exam = rings(seed + 2, 400)
right = sum(model.predict(kept, point) == label for point, label in exam)
print(f"METRIC accuracy={right / len(exam)}")
print(f"METRIC kept={len(kept)}")
