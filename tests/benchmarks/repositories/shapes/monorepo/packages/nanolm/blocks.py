import torch


class MixerBlock(torch.nn.Module):
    """Mixes over time by one causal matrix, then over channels (in the manner of MLP-Mixer)."""

    def __init__(self, dim, length):
        super().__init__()
        self.norm = torch.nn.LayerNorm(dim)
        self.time = torch.nn.Parameter(0.02 * torch.randn(length, length))
        self.channels = torch.nn.Sequential(
            torch.nn.LayerNorm(dim),
            torch.nn.Linear(dim, 2 * dim),
            torch.nn.GELU(),
            torch.nn.Linear(2 * dim, dim),
        )

    def forward(self, x):
        steps = x.shape[1]
        x = x + self.time[:steps, :steps].tril() @ self.norm(x)
        return x + self.channels(x)
