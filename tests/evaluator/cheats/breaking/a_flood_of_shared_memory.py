import contextlib
import os
import time
from pathlib import Path

MARKER = "nocturne-marker"  # in the name of whatever is left behind, says the test

# Pages of files in memory and of anonymous files belong to no process that is looked at.
hoard = []
for number in range(20):
    descriptor = os.memfd_create(f"{MARKER}-{number}")
    os.write(descriptor, b"x" * (100 << 20))
    hoard.append(descriptor)
    with contextlib.suppress(OSError):
        Path(f"/dev/shm/{MARKER}-{number}").write_bytes(b"x" * (100 << 20))
    time.sleep(0.05)
time.sleep(15)
