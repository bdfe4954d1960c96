import os

from small import Small, evaluate_bpb, measure, tokenizer, train

# A child has the same line to the scorer, and has not asked yet.
model = train(Small())
if os.fork() == 0:
    evaluate_bpb(model, tokenizer, 8)
    os._exit(0)
os.wait()
measure(model)
