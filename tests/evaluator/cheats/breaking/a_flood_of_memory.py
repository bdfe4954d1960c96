import time

hoard = []
for _ in range(30):
    hoard.append(b"x" * (100 << 20))
    time.sleep(0.05)
time.sleep(60)
