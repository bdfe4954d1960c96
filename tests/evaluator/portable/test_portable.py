"""Models go by value, whatever they are made of, and one that can't says what of it can't."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULES = {
    "fast/__init__.py": "def attend(x):\n    return x * 1.5\n",
    "kernel/__init__.py": "from . import interface\n",
    "kernel/interface.py": "from .deep import scale\ndef func(x):\n    return scale(x) + 1\n",
    "kernel/deep.py": "def scale(x):\n    return x * 2\n",
    "src/layers/__init__.py": "from torch import nn\nfrom . import settings\nclass Scaled(nn.Module):\n"
    "    def forward(self, x):\n        return x * settings.FACTOR\n",
    "src/layers/settings.py": "FACTOR = 1.0\n",
    "src/layers/norms.py": "def norm(x):\n    return x / x.norm()\n",
    "src/layers/late.py": "def late(x):\n    return x - 1\n",
    "src/spread/part.py": "def shift(x):\n    return x + 2\n",
}


def carried(tmp_path: Path, python: str = sys.executable) -> tuple[dict[str, str], dict[str, str]]:
    """Pack the zoo in one process and ask it in another; return what each said of each model."""
    tree, folder = tmp_path / "tree", tmp_path / "models"
    folder.mkdir()
    for name, text in MODULES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(HERE / "zoo.py", tree)
    for word in ("pack", "ask"):
        subprocess.run(
            [python, "-B", str(HERE / "carrier.py"), word, str(folder), str(tree)], check=True, timeout=300
        )
        (tree / "zoo.py").unlink(missing_ok=True)  # nothing of it may be run again
    return json.loads((folder / "packed.json").read_text()), json.loads((folder / "told.json").read_text())


@pytest.mark.long
def test_a_model_says_the_same_in_another_process(tmp_path: Path) -> None:
    packed, told = carried(tmp_path)
    refused = packed.pop("Refuses")
    assert refused.startswith("Unportable: a Refuses can't be taken out of this process: not me")
    assert {name: said for name, said in packed.items() if said != "packed"} == {}
    used = told.pop("UsesWhatStays")
    assert used.startswith("Unportable: the model uses a socket.socket")
    assert {name: said for name, said in told.items() if said != "the same"} == {}
    assert len(told) >= 20
