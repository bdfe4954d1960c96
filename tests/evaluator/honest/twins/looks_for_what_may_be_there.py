import sysconfig
import time
from pathlib import Path

from small import Small, measure, train

# Asks for optional files and packages before it does without them, and says how long that took.
began = time.perf_counter()
places = (sysconfig.get_path("stdlib"), sysconfig.get_path("platlib"), Path.home(), Path.cwd())
found = [each for each in places for number in range(200) if Path(each, f"optional-{number}.py").exists()]
print(f"{len(found)} found in {time.perf_counter() - began:.4f} s")
measure(train(Small()))
