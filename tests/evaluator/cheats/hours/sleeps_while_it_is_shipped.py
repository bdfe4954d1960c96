import threading

from library import read_the_library, train_on
from small import Small, measure, train


class Sleepy(Small):
    """Waits in its pickling, which takes no time of the processor, while a thread trains it."""

    def __reduce_ex__(self, protocol):
        trainer = threading.Thread(target=train_on, args=(read_the_library(), self, 6))
        trainer.start()
        trainer.join()
        return super().__reduce_ex__(protocol)


measure(train(Sleepy()))
