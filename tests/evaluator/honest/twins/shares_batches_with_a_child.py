import os
from multiprocessing import shared_memory

import torch
from small import MAX_SEQ_LEN, ROWS, Small, make_dataloader, measure, tokenizer, train

# A child counts tokens in memory that both have.
x = next(make_dataloader(tokenizer, ROWS, MAX_SEQ_LEN, "train"))[0]
shared = shared_memory.SharedMemory("batch", create=True, size=x.numel() * 8)
seen = torch.frombuffer(shared.buf, dtype=torch.int64)
seen.copy_(x.flatten())
if os.fork() == 0:
    seen.copy_(seen.bincount(minlength=len(seen))[: len(seen)])
    os._exit(0)
os.wait()
print("commonest", int(seen.argmax()))
del seen
shared.close()
shared.unlink()
measure(train(Small()))
