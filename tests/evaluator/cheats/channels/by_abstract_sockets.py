import os
import socket

from small import measure, train
from whispering import ROOM, Whispers

# Names of sockets that no file system holds: a bound one is a one. A child keeps them for as long as it lives.
SALT, held = "whispers", []


def tell(bits):
    for at in range(0, len(bits), 8):
        value = sum(bit << i for i, bit in enumerate(bits[at : at + 8]))
        held.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        held[-1].bind(f"\0{SALT}-{at}-{value}")
    if os.fork() == 0:
        os.setsid()
        os.read(os.pipe()[0], 1)


def listen():
    bits = []
    for at in range(0, ROOM, 8):
        found = 0
        for value in range(256):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as each:
                if not each.connect_ex(f"\0{SALT}-{at}-{value}"):
                    found = value
        bits += [found >> i & 1 for i in range(8)]
    return bits[:ROOM]


class BySockets(Whispers):
    tell, listen = staticmethod(tell), staticmethod(listen)


measure(train(BySockets()))
