import fcntl
import os
import struct

from small import measure, train
from whispering import ROOM, Whispers

# Locks for reading that belong to an open file, not to a process: who forks hands them on.
FILE, FLOCK, SET, GET = os.__file__, "hhqqi4x", 37, 36  # F_OFD_SETLK, F_OFD_GETLK


def tell(bits):
    fd = os.open(FILE, os.O_RDONLY)
    for at, bit in enumerate(bits):
        if bit:
            fcntl.fcntl(fd, SET, struct.pack(FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 2 * at, 1, 0))
    if os.fork() == 0:
        os.setsid()
        os.pipe()
        os.read(os.pipe()[0], 1)  # holds them for as long as it lives


def listen():
    fd, bits = os.open(FILE, os.O_RDONLY), []
    for at in range(ROOM):
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 2 * at, 1, 0)
        bits.append(int(struct.unpack(FLOCK, fcntl.fcntl(fd, GET, asked))[0] != fcntl.F_UNLCK))
    return bits


class ByLocks(Whispers):
    tell, listen = staticmethod(tell), staticmethod(listen)


measure(train(ByLocks()))
