import fcntl
import os
import socket
import sqlite3
import threading
from pathlib import Path

import torch
from small import Small, measure, train

# A run's own books: a database that it locks, a file that it asks the kernel to forget, larger buffers of a socket.
model = train(Small())
base = sqlite3.connect("kept.db")
base.execute("pragma journal_mode=wal")
base.execute("create table weights (name, size)")
base.executemany("insert into weights values (?, ?)", [(n, w.numel()) for n, w in model.named_parameters()])
base.commit()
with Path("lock").open("w") as mine, Path(torch.__file__).open("rb") as theirs:
    fcntl.flock(mine, fcntl.LOCK_EX)
    fcntl.lockf(mine, fcntl.LOCK_EX)
    os.posix_fadvise(theirs.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
near, far = socket.socketpair()
near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
os.sched_setaffinity(0, os.sched_getaffinity(0))
waiting = [threading.Thread(target=far.recv, args=(1,), daemon=True) for _ in range(8)]
for each in waiting:
    each.start()
measure(model)
