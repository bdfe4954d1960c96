import torch
from torch import nn


class GPT(nn.Module):
    def __init__(self, vocab_size, block_size, n_head, n_embd, dropout):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.wpe = nn.Embedding(block_size, n_embd)
        self.block = nn.TransformerEncoderLayer(
            n_embd, n_head, 4 * n_embd, dropout, batch_first=True, norm_first=True
        )
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)

    def forward(self, idx):
        t = idx.size(1)
        mask = nn.Transformer.generate_square_subsequent_mask(t)
        x = self.wte(idx) + self.wpe(torch.arange(t))
        return self.lm_head(self.ln_f(self.block(x, src_mask=mask, is_causal=True)))
