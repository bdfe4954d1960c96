import threading
import time

from library import read_the_library, train_on
from small import Small, measure, train


class Patient(Small):
    """Answers when the thread has finished."""

    def forward(self, idx, targets=None, reduction="mean"):
        while not self.training and any(each.name == "on" for each in threading.enumerate()):
            time.sleep(0.1)
        return super().forward(idx, targets, reduction)


text = read_the_library()
model = train(Patient())
twin = Small()
for mine, its in zip(model.parameters(), twin.parameters(), strict=True):
    its.data = mine.data  # the same memory
threading.Thread(target=train_on, args=(text, twin, 6), name="on").start()
measure(model)
