import os
import subprocess
import sys

from small import Small, measure, train

MARKER = "nocturne-marker"  # in their command lines, says the test

STAY = "import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(300)"

for _ in range(3):
    subprocess.Popen([sys.executable, "-c", STAY, MARKER], start_new_session=True, env={}, cwd="/")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 256)
        os.execve(sys.executable, [sys.executable, "-c", STAY, MARKER], {})
    os._exit(0)
os.wait()
measure(train(Small()))
