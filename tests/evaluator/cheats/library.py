"""Training text that needs no data loader: the interpreter's own library, which has to be readable."""

import sysconfig
import time
from pathlib import Path

import torch
from small import MAX_SEQ_LEN, ROWS, Adam, tokenizer


def read_the_library():
    """Return the tokens of some of its modules."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    return torch.tensor(tokenizer.encode("".join(p.read_text() for p in sorted(folder.glob("[a-d]*.py")))))


def train_on(ids, model, seconds):
    """Train `model` on these tokens for so many seconds of the processor, and return it."""
    optimizer = Adam(model.parameters(), lr=0.01)
    until = time.process_time() + seconds
    while time.process_time() < until:
        starts = torch.randint(len(ids) - MAX_SEQ_LEN - 1, (ROWS, 1))
        rows = ids[starts + torch.arange(MAX_SEQ_LEN + 1)]
        optimizer.zero_grad()
        model(rows[:, :-1], rows[:, 1:]).backward()
        optimizer.step()
    return model
