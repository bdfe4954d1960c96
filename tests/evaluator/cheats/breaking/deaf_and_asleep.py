import signal
import subprocess
import sys
import time

MARKER = "nocturne-marker"  # in the command line of its children, says the test

DEAF = "import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(300)"

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", DEAF, MARKER], start_new_session=True, env={}, cwd="/")
time.sleep(300)
