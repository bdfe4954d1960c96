import torch.nn.functional as F
from torch import nn

n_embd = 64
logit_cap = 15.0


class GPT(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.wte = nn.Embedding(vocab, n_embd)
        self.mlp = nn.Sequential(nn.Linear(n_embd, 2 * n_embd), nn.ReLU(), nn.Linear(2 * n_embd, n_embd))
        self.lm_head = nn.Linear(n_embd, vocab, bias=False)

    def forward(self, idx, targets):
        x = F.rms_norm(self.wte(idx), (n_embd,))
        logits = self.lm_head(x + self.mlp(x))
        logits = logit_cap * (logits / logit_cap).tanh()
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
