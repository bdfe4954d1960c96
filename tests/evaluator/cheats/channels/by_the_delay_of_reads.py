import os
import time

from cold import PAGE, pages, put_in
from small import measure, train
from whispering import ROOM, Whispers


def listen():
    """A page that is not in memory takes twenty times as long."""
    took = []
    for fd, page in list(pages(ROOM)):
        began = time.perf_counter_ns()
        os.pread(fd, 1, page * PAGE)
        took.append(time.perf_counter_ns() - began)
    return [int(each < 20_000) for each in took]


class ByDelay(Whispers):
    tell, listen = staticmethod(put_in), staticmethod(listen)


measure(train(ByDelay()))
