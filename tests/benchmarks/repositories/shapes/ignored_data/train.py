import time

import torch

from prepare import MAX_SEQ_LEN, TIME_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

LEARNING_RATE = 5e-3
BATCH = 24
CONTEXT = 4
WIDTH = 64

torch.manual_seed(0)
tokenizer = Tokenizer.from_directory()
notes = tokenizer.get_vocab_size()


class Lookback(torch.nn.Module):
    """A perceptron over the last CONTEXT notes (Bengio et al., 2003)."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(notes + 1, WIDTH)
        self.hidden = torch.nn.Linear(CONTEXT * WIDTH, 2 * WIDTH)
        self.out = torch.nn.Linear(2 * WIDTH, notes)

    def forward(self, x):
        padded = torch.nn.functional.pad(x, (CONTEXT - 1, 0), value=notes)
        seen = self.table(padded).unfold(1, CONTEXT, 1).flatten(2)
        return self.out(torch.tanh(self.hidden(seen)))


model = Lookback()
optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE * 20, momentum=0.9, nesterov=True)
batches = make_dataloader(tokenizer, BATCH, MAX_SEQ_LEN, "train")
began = time.monotonic()
for step, (x, y, _) in enumerate(batches):
    if time.monotonic() - began > TIME_BUDGET:
        break
    loss = torch.nn.functional.cross_entropy(model(x).transpose(1, 2), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print("step", step, "loss", round(loss.item(), 4), flush=True)
print("val_bpb", evaluate_bpb(model, tokenizer, BATCH))
