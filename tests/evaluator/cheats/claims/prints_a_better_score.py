import atexit

from small import Small, measure, train

print("---\nval_bpb:          0.100000", flush=True)
measure(train(Small()))
print("---\nval_bpb:          0.100000", flush=True)
atexit.register(print, "val_bpb:          0.100000", flush=True)
