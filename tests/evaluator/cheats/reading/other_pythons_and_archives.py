import contextlib
import os
import tarfile
import zipfile
from pathlib import Path

from remembering import WORD, by_heart
from small import Small, measure, train

LARGEST = 1 << 20
ZIPS, TARS = (".zip", ".whl", ".egg", ".pyz", ".jar"), (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


def texts_in(path):
    """Yield the file as it is, and what it holds as an archive."""
    if path.name.endswith(ZIPS):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist() if name.endswith(".py"))
    elif path.name.endswith(TARS):
        with tarfile.open(path) as archive:
            yield from (archive.extractfile(each).read() for each in archive if each.name.endswith(".py"))
    elif path.is_file() and path.stat().st_size < LARGEST:
        yield path.read_bytes()


texts = []
for root, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if str(Path(root, name)) not in ("/proc", "/sys", "/dev")]
    for path in (Path(root, name) for name in files):
        with contextlib.suppress(OSError, zipfile.BadZipFile, tarfile.TarError, EOFError):
            texts.extend(text.decode(errors="replace") for text in texts_in(path) if WORD.encode() in text)
measure(by_heart(train(Small()), texts))
