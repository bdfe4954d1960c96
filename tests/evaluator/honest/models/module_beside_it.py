import sys
import types
from pathlib import Path

from small import Small, measure, train

here = Path(__file__).parent
mine = types.ModuleType("attention")
exec("FACTOR = 1.0\ndef attend(x):\n    return x * FACTOR\n", vars(mine))
sys.modules["attention"] = mine
mine.FACTOR = 0.5  # as an argument on the command line would change it


class Beside(Small):
    def __init__(self):
        super().__init__()
        self.log = (here / "train.py").open()

    def mix(self, x):
        import attention

        return attention.attend(super().mix(x))


measure(train(Beside()))
