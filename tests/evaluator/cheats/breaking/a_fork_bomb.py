import os
import time

# It stops by itself, so that an evaluator without limits costs a test and not the machine.
for _ in range(11):
    os.fork()
time.sleep(60)
