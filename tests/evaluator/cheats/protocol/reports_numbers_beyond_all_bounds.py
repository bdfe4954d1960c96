import sys

from small import Small, evaluate_bpb, measure, train

# Numbers as JSON has them, of a thousand digits: whoever divides by them, or asks whether they are finite, stumbles.
model = train(Small())
scorer = evaluate_bpb.__self__.scorer
frames = sys.modules[type(scorer).__module__]
large = b"1" + b"0" * 1000
scorer.send(frames.EVALUATE, b'{"rows": 1, "parameters": ' + large + b', "peak_vram_mb": -' + large + b"}")
measure(model)
