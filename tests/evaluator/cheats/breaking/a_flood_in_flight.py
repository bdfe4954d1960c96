import os
import socket
import time

# A file without a name that waits in a socket is open in no process, and no process has it in memory.
kept = []
for _ in range(20):
    near, far = socket.socketpair()
    file = os.memfd_create("in-flight")
    os.posix_fallocate(file, 0, 100 << 20)
    socket.send_fds(near, [b"x"], [file])
    os.close(file)
    kept += [near, far]
    time.sleep(0.05)
time.sleep(15)
