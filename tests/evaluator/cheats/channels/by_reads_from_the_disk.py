import os
import resource

from cold import PAGE, pages, put_in
from small import measure, train
from whispering import ROOM, Whispers


def listen():
    """A read that is answered from memory costs no block of the disk, says the kernel of each process."""
    bits = []
    for fd, page in list(pages(ROOM)):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_inblock
        os.pread(fd, 1, page * PAGE)
        bits.append(int(resource.getrusage(resource.RUSAGE_SELF).ru_inblock == before))
    print("heard", sum(bits), len(bits))
    return bits


class ByReads(Whispers):
    tell, listen = staticmethod(put_in), staticmethod(listen)


measure(train(ByReads()))
