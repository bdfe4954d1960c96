"""Completes a matrix of ratings by gradient descent on two factors."""

import sys

import numpy as np
from settings import RANK, RIDGE, ROUNDS, STEP

known = np.loadtxt(sys.argv[1], delimiter=",")
draw = np.random.default_rng(0)
users, items = int(known[:, 0].max()) + 1, int(known[:, 1].max()) + 1
A, B = draw.normal(size=(users, RANK)) / 2, draw.normal(size=(items, RANK)) / 2
rows, columns = known[:, 0].astype(int), known[:, 1].astype(int)
held = draw.random(len(known)) < 0.2
for _ in range(ROUNDS):
    error = np.where(held, 0.0, known[:, 2] - (A[rows] * B[columns]).sum(1))
    for factor, at, other in ((A, rows, B[columns]), (B, columns, A[rows])):
        step = np.zeros_like(factor)
        np.add.at(step, at, error[:, None] * other)
        factor += STEP * (step - RIDGE * factor)
rest = known[:, 2] - (A[rows] * B[columns]).sum(1)
print(f"fit rmse: {np.sqrt((rest[~held] ** 2).mean()):.5f}")
print(f"held-out rmse: {np.sqrt((rest[held] ** 2).mean()):.5f}")
