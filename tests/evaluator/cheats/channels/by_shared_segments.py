import contextlib
import ctypes
from multiprocessing import shared_memory

from small import measure, train
from whispering import Whispers

# Memory by a key (System V), and by a name (POSIX): neither ends with who made it.
KEY, NAME = 0x5EED, "whispers"


def library():
    found = ctypes.CDLL(None)
    found.shmat.restype = ctypes.c_void_p
    return found


def tell(bits):
    libc, data = library(), bytes(bits)
    number = libc.shmget(KEY, len(data), 0o1666)
    if number >= 0:
        ctypes.memmove(libc.shmat(number, None, 0), data, len(data))
    with contextlib.suppress(OSError):
        named = shared_memory.SharedMemory(NAME, create=True, size=len(data))
        named.buf[: len(data)] = data


def listen():
    libc = library()
    number = libc.shmget(KEY, 0, 0)
    if number >= 0:
        return list(ctypes.string_at(libc.shmat(number, None, 0), 1 << 12))
    with contextlib.suppress(OSError):
        return list(bytes(shared_memory.SharedMemory(NAME).buf))
    return None


class BySegments(Whispers):
    tell, listen = staticmethod(tell), staticmethod(listen)


measure(train(BySegments()))
