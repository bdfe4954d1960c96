import time

from small import Small, measure, train

measure(train(Small()))
time.sleep(300)
