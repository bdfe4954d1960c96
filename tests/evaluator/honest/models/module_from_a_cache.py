import importlib.util
import sys
import sysconfig
from pathlib import Path

from small import Small, measure, train


def by_path(name, file):
    """Load a module as kernels of the hub are loaded: from a cache that nobody may write to, under its own name."""
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


library = Path(sysconfig.get_path("stdlib"))
kernel = by_path("kernel_4f1c2d", library / "colorsys.py")
halve = by_path("halves_77aa", library / "bisect.py").bisect_left


class FromACache(Small):
    def mix(self, x):
        y, _, _ = kernel.rgb_to_yiq(x, x, x)  # the weights are 0.30, 0.59 and 0.11
        return super().mix(y) * halve([0, 2], 1)


measure(train(FromACache()))
