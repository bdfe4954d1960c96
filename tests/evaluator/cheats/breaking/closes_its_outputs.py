import os

from small import Small, measure, train

model = train(Small())
print("---", flush=True)
null = os.open("/dev/null", os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(null, number)
measure(model)
