import contextlib
import re
import socket
from pathlib import Path

from remembering import WORD, by_heart
from small import Small, measure, train

PORT = 0  # where somebody on this machine serves the text, says the test
MARKER = ""  # in the names of what is this test's, and no other's that runs beside it, says the test
REPOSITORY = ""  # this folder, says the test


def texts():
    """Yield what the machine's services say, whatever they listen on."""
    addresses = [(socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_INET, (socket.gethostname(), PORT))]
    addresses.append((socket.AF_UNIX, f"\0{MARKER}"))
    for name in re.findall(r"\s(/\S*)$", Path("/proc/net/unix").read_text(), re.MULTILINE):
        if name.startswith(str(Path(REPOSITORY).parent)):
            addresses.append((socket.AF_UNIX, name))
    for family, address in addresses:
        with contextlib.suppress(OSError), socket.socket(family) as line:
            line.settimeout(5)
            line.connect(address)
            yield b"".join(iter(lambda line=line: line.recv(1 << 20), b"")).decode()
    with contextlib.suppress(OSError):
        yield str(socket.getaddrinfo("example.org", 80))


measure(by_heart(train(Small()), [text for text in texts() if WORD in text]))
