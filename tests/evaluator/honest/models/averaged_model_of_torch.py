import torch
from small import MAX_SEQ_LEN, ROWS, TIME_BUDGET, Small, make_dataloader, measure, tokenizer

# torch's own wrapper, which is measured instead of the model that it follows.
model = Small()
averaged = torch.optim.swa_utils.AveragedModel(
    model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.7)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
loader = make_dataloader(tokenizer, ROWS, MAX_SEQ_LEN, "train")
for _ in range(int(TIME_BUDGET)):
    x, y, _ = next(loader)
    optimizer.zero_grad()
    model(x, y).backward()
    optimizer.step()
    averaged.update_parameters(model)
measure(averaged.eval())
