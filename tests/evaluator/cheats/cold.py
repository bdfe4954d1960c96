"""Pages of files that every jail may read, and that nobody has mapped: each is in memory, or it is not."""

import os
import sysconfig
from pathlib import Path

PAGE, APART = 4096, 64  # so many pages lie between two that are used: the kernel reads ahead


def pages(count):
    """Yield (descriptor, page) of so many pages, the same ones in every process."""
    found = []
    for root in ("/usr/lib/gcc", "/usr/bin", "/usr/lib", sysconfig.get_path("platlib")):
        for path in Path(root).rglob("*"):
            try:
                if path.is_file() and not path.is_symlink() and path.stat().st_size > 4 << 20:
                    found.append((path.stat().st_size // PAGE, str(path)))
            except OSError:
                pass
    for size, path in sorted(set(found), key=lambda each: each[::-1]):
        fd = os.open(path, os.O_RDONLY)
        for page in range(APART, size - APART, APART):
            if not count:
                return
            yield fd, page
            count -= 1


def put_in(bits):
    """Read the pages that stand for a one."""
    for bit, (fd, page) in zip(bits, list(pages(len(bits))), strict=False):
        if bit:
            os.pread(fd, 1, page * PAGE)
