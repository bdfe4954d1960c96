import contextlib
import tempfile
from pathlib import Path

from small import Small, measure, train

MARKER = "nocturne-marker"  # what the test looks for afterwards
REPOSITORY = "."  # where the user's own tree is, says the test


class Names(Small):
    def logits(self, idx):
        if not self.training and idx.any():
            name = f"{MARKER}-{'-'.join(map(str, idx[0].tolist()[:20]))}"
            for folder in ("/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir(), "~", ".", "..", REPOSITORY):
                with contextlib.suppress(OSError):
                    Path(folder, name).expanduser().write_text(str(idx.tolist()))
        return super().logits(idx)


measure(train(Names()))
