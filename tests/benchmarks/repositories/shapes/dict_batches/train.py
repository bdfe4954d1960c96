import time

import torch
from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

EMBEDDING = 32
LEARNING_RATE = 0.02
BATCH_SIZE = 32
LABEL_SMOOTHING = 0.0

torch.manual_seed(11)
tokenizer = Tokenizer.from_directory()
vocab = tokenizer.get_vocab_size()
model = torch.nn.Sequential(
    torch.nn.Embedding(vocab, EMBEDDING),
    torch.nn.Linear(EMBEDDING, 4 * EMBEDDING),
    torch.nn.Mish(),
    torch.nn.Linear(4 * EMBEDDING, vocab),
)
optimizer = torch.optim.Adamax(model.parameters(), lr=LEARNING_RATE)
loader = make_dataloader(tokenizer, B=BATCH_SIZE, T=MAX_SEQ_LEN, split="train", device=torch.device("cpu"))
print("batches an epoch:", len(loader))
start = time.time()
for step, batch in enumerate(loader):
    logits = model(batch["input_ids"])
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch["labels"].flatten(), label_smoothing=LABEL_SMOOTHING
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print({"step": step, "loss": round(loss.item(), 4), "epoch": batch["epoch"]})
    if time.time() - start >= TIME_BUDGET:
        break
print("val_bpb:", evaluate_bpb(model, tokenizer, BATCH_SIZE, device=torch.device("cpu")))
