import os
import socket

import torch
from small import Small, measure, train

# A worker that is asked by the name of a socket works out how quickly to learn.
served = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
served.bind("\0worker")
asking = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
asking.bind("\0asker")
if os.fork() == 0:
    question, who = served.recvfrom(64)
    served.sendto(str(len(question) / 500).encode(), who)
    os._exit(0)
asking.sendto(b"step?", "\0worker")
print("rate", float(asking.recv(64)))
os.wait()
torch.manual_seed(7)
measure(train(Small()))
