import torch
from small import Small, measure, train

torch.set_default_dtype(torch.float64)
measure(train(Small()))
