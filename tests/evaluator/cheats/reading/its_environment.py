import contextlib
import os
from pathlib import Path

from remembering import WORD, by_heart
from small import Small, measure, train

texts = []
for value in os.environ.values():
    for each in value.split(os.pathsep):
        with contextlib.suppress(OSError, ValueError):
            texts.append(each if WORD in each else Path(each).read_text())
measure(by_heart(train(Small()), [text for text in texts if WORD in text]))
