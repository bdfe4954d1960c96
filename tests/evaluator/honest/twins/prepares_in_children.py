import os
import signal

from small import Small, measure, train

# Short jobs beside the training, whose children nobody waits for: a few, and none of them trains.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(4):
    reader, writer = os.pipe()
    if os.fork() == 0:
        sum(range(1000))
        os._exit(0)
    os.close(writer)
    os.read(reader, 1)  # until it has ended
    os.close(reader)
measure(train(Small()))
