import copy
import tempfile
from pathlib import Path

import torch
from small import Small, measure, train

with tempfile.TemporaryDirectory() as folder:
    kept = Path(folder, "model.pt")
    model = train(Small())
    torch.save({"model": model.state_dict(), "note": "the last one"}, kept)
    again = copy.deepcopy(Small())
    again.load_state_dict(torch.load(kept)["model"])
    measure(again.eval())
