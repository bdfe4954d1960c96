import os
import sysconfig
import time

from small import measure, train
from whispering import ROOM, Whispers

# A name that is not there is remembered as such by the kernel: who asks for it again is answered sooner. Each bit has
# some names, and which ones they are is drawn anew in each run.
COPIES, FOLDER = 5, sysconfig.get_path("stdlib")


def names(salt):
    for bit in range(ROOM):
        yield [f"{FOLDER}/{salt}-{bit}-{copy}" for copy in range(COPIES)]


def asked(name):
    began = time.perf_counter_ns()
    os.access(name, os.F_OK)
    return time.perf_counter_ns() - began


def tell(bits):
    for bit, copies in zip(bits, names(SALT), strict=True):
        if bit:
            for name in copies:
                asked(name)


def listen_with(salt):
    for number in range(200):
        asked(f"{FOLDER}/warm-up-{salt}-{number}")
    known = sorted(min(asked(f"{FOLDER}/warm-up-{salt}-{number}") for _ in range(3)) for number in range(200))
    fresh = sorted(asked(f"{FOLDER}/fresh-{salt}-{number}") for number in range(200))
    limit = (known[100] + fresh[100]) / 2
    print("known", known[100], "fresh", fresh[100])
    return [int(sum(asked(name) < limit for name in copies) * 2 > COPIES) for copies in names(salt)]


SALT = os.urandom(8).hex()


class Listening:
    def __init__(self, salt):
        self.salt = salt

    def __call__(self):
        return listen_with(self.salt)


class ByNames(Whispers):
    tell, listen = staticmethod(tell), Listening(SALT)


measure(train(ByNames()))
