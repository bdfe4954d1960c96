import threading
import time

# One process, as far as anybody counts processes.
threading.stack_size(1 << 16)
for _ in range(3000):
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
time.sleep(30)
