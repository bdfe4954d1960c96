"""Writes train.bin, val.bin and meta.pkl beside itself."""

import os
import pickle
import random

import numpy as np

draw = random.Random(1)
names = ["ROMEO", "JULIA", "NURSE", "PAGE"]
words = "good night sweet sorrow parting light east window sun moon arise".split()
text = "".join(f"{draw.choice(names)}:\n{' '.join(draw.choices(words, k=4))}.\n\n" for _ in range(1500))
chars = sorted(set(text))
stoi = {ch: i for i, ch in enumerate(chars)}
data = np.array([stoi[c] for c in text], dtype=np.uint16)
n = int(0.9 * len(data))
here = os.path.dirname(__file__)
data[:n].tofile(os.path.join(here, "train.bin"))
data[n:].tofile(os.path.join(here, "val.bin"))
with open(os.path.join(here, "meta.pkl"), "wb") as f:
    pickle.dump({"vocab_size": len(chars), "stoi": stoi}, f)
print(f"train has {n:,} tokens, val has {len(data) - n:,} tokens")
