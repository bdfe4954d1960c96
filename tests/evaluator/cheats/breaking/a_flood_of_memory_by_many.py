import os
import time

# None of them is large.
for _ in range(20):
    if os.fork() == 0:
        hoard = b"x" * (100 << 20)
        time.sleep(60)
        os._exit(len(hoard) % 2)
    time.sleep(0.05)
time.sleep(60)
