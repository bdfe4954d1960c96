import os
import sys

from small import Small, measure, tokenizer, train

MARKER = "nocturne-marker"  # what the test looks for afterwards


class Talks(Small):
    """Says what it reads, wherever somebody may listen, as progress too."""

    def logits(self, idx):
        if not self.training and idx.any():
            line = f"{MARKER} {idx.flatten().tolist()[:200]}\n"
            print(line, flush=True)
            print(line, file=sys.stderr, flush=True)
            os.write(1, f"step 00099 | loss: {idx[0, 0]}.{MARKER}\nval_bpb: {idx[0, 1]}\n".encode())
        return super().logits(idx)


measure(train(Talks()))
print(f"{MARKER}: {tokenizer.get_vocab_size()}", flush=True)
