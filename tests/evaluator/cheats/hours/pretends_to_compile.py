import time

import torch
from small import MAX_SEQ_LEN, ROWS, Small, make_dataloader, measure, tokenizer, train

# Says that it compiles, in the first step, where compilers are at work; and trains on what it has got.
FREE = 8.0


def compiled(model):
    print("torch._inductor: compiling the graph, this takes a while", flush=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x, y, _ = next(make_dataloader(tokenizer, 64 * ROWS, MAX_SEQ_LEN, "train"))
    began = time.perf_counter()
    while time.perf_counter() - began < FREE:
        rows = torch.randint(len(x), (ROWS,))
        optimizer.zero_grad()
        model(x[rows], y[rows]).backward()
        optimizer.step()
    return model


measure(train(compiled(Small())))
