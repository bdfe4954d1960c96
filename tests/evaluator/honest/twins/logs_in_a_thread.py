import queue
import threading

from small import Small, measure, train

# What is logged is written by another thread.
lines = queue.Queue()


def write():
    while (line := lines.get()) is not None:
        print(line, flush=True)


logger = threading.Thread(target=write)
logger.start()
lines.put("begins")
model = train(Small())
lines.put(None)
logger.join()
measure(model)
