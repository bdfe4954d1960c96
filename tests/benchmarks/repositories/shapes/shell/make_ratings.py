import numpy as np

draw = np.random.default_rng(4)
taste, kind = draw.normal(size=(30, 2)), draw.normal(size=(25, 2))
with open("ratings.csv", "w") as f:
    for u in range(30):
        for i in draw.choice(25, 15, replace=False):
            f.write(f"{u},{i},{taste[u] @ kind[i] + 0.1 * draw.normal():.4f}\n")
