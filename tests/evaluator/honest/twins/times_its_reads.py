import tempfile
import time
from pathlib import Path

import torch
from small import MAX_SEQ_LEN, ROWS, Small, make_dataloader, measure, tokenizer, train

# Keeps batches on disk and reads them back, and says how long that takes.
loader = make_dataloader(tokenizer, ROWS, MAX_SEQ_LEN, "train")
kept = Path(tempfile.gettempdir()) / "batch.pt"
torch.save(next(loader)[0], kept)
began = time.perf_counter_ns()
size = torch.load(kept).numel()
print(f"{size} tokens read in {(time.perf_counter_ns() - began) / 1e6:.2f} ms")
measure(train(Small()))
