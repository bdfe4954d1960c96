import mmap
import resource

from cold import PAGE, pages, put_in
from small import measure, train
from whispering import ROOM, Whispers


def listen():
    """A page that is mapped and not in memory is a major fault."""
    bits, maps = [], {}
    for fd, page in list(pages(ROOM)):
        seen = maps.setdefault(fd, mmap.mmap(fd, 0, prot=mmap.PROT_READ))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        seen[page * PAGE]
        bits.append(int(resource.getrusage(resource.RUSAGE_SELF).ru_majflt == before))
    return bits


class ByFaults(Whispers):
    tell, listen = staticmethod(put_in), staticmethod(listen)


measure(train(ByFaults()))
