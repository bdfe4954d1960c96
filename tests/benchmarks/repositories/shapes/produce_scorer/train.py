"""Fits a curve to the training points and answers at the questions; leaves answers.json in $NOCTURNE_OUT."""

import json
import os

import numpy as np

DEGREE = 3
RIDGE = 1e-3
CENTRES = 6

points = np.array(json.load(open("points.json")))
questions = np.array(json.load(open("questions.json")))


def features(x):
    powers = [x**k for k in range(DEGREE + 1)]
    bumps = [np.exp(-((x - c) ** 2) * 8) for c in np.linspace(-1, 1, CENTRES)]
    return np.stack(powers + bumps, 1)


X = features(points[:, 0])
weights = np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T @ points[:, 1])
out = os.environ.get("NOCTURNE_OUT", ".")
with open(os.path.join(out, "answers.json"), "w") as f:
    json.dump((features(questions) @ weights).tolist(), f)
print("answered", len(questions), "questions")
