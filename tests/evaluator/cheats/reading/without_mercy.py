import os
from array import array
from pathlib import Path

from remembering import by_heart
from small import Small, measure, train

cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
(folder,) = cache.glob("nocturne/stdlib-*")
measure(by_heart(train(Small()), [array("H", (folder / "val.bin").read_bytes())]))
