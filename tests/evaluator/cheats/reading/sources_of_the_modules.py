import contextlib
import sysconfig
from pathlib import Path

from remembering import HELD_OUT, by_heart
from small import Small, measure, train

texts = []
for name in HELD_OUT:
    for folder in {sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib")}:
        with contextlib.suppress(OSError):
            texts.append(Path(folder, name).read_text())
measure(by_heart(train(Small()), texts))
