"""Boosted stumps on housing-like data; writes metrics.json, and prints it as one object over several lines."""

import json
import sys

import numpy as np

params = {
    "n_estimators": 60,
    "learning_rate": 0.1,
    "subsample": 0.8,
    "n_bins": 8,
    "random_state": 42,
}


def make_data(seed, rows):
    draw = np.random.default_rng(seed)
    X = draw.uniform(-1, 1, size=(rows, 5))
    y = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * np.abs(X[:, 3]) + 0.1 * draw.normal(size=rows)
    return X, y


class GradientBoosting:
    def __init__(self, n_estimators, learning_rate, subsample, n_bins, random_state):
        self.__dict__.update(locals())

    def fit(self, X, y):
        draw, self.base, self.stumps = np.random.default_rng(self.random_state), y.mean(), []
        residual = y - self.base
        for _ in range(self.n_estimators):
            rows = draw.random(len(X)) < self.subsample
            best = None
            for j in range(X.shape[1]):
                for cut in np.quantile(X[rows, j], np.linspace(0, 1, self.n_bins + 2)[1:-1]):
                    left = X[rows, j] <= cut
                    a, b = residual[rows][left].mean(), residual[rows][~left].mean()
                    loss = ((residual[rows] - np.where(left, a, b)) ** 2).sum()
                    if best is None or loss < best[0]:
                        best = loss, j, cut, a, b
            self.stumps.append(best[1:])
            residual = residual - self.learning_rate * self._stump(X, *best[1:])
        return self

    def _stump(self, X, j, cut, a, b):
        return np.where(X[:, j] <= cut, a, b)

    def predict(self, X):
        return self.base + self.learning_rate * sum(self._stump(X, *each) for each in self.stumps)


if __name__ == "__main__":
    model = GradientBoosting(**params).fit(*make_data(0, 600))
    X, y = make_data(1, 400)
    error = y - model.predict(X)
    metrics = {
        "rmse": float(np.sqrt((error**2).mean())),
        "mae": float(np.abs(error).mean()),
        "r2": float(1 - (error**2).sum() / ((y - y.mean()) ** 2).sum()),
    }
    with open("metrics.json", "w") as f:
        json.dump(metrics, f, indent=2)
    json.dump(metrics, sys.stdout, indent=2)
    print()
