import time

from small import Small, measure, train

began = time.time()
model = train(Small())
print(f"trained for {time.time() - began:.2f} s, began at {began:.0f}")
measure(model)
