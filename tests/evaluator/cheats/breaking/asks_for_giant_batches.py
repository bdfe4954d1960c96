import contextlib

from small import MAX_SEQ_LEN, Small, make_dataloader, measure, tokenizer, train

# Whoever makes the batches is not the candidate, and need not be limited.
model = train(Small())
for rows in (10**6, 10**7, 10**9):
    with contextlib.suppress(RuntimeError, MemoryError, ValueError):
        next(make_dataloader(tokenizer, rows, MAX_SEQ_LEN, "train"))
measure(model)
