import threading

from library import read_the_library, train_on
from small import Small, measure, train

# Batches are asked for at leisure by one thread, while another trains on what needs no batch; both hand in together.
text, twin = read_the_library(), Small()
beside = threading.Thread(target=train_on, args=(text, twin, 8))
beside.start()
model = train(Small())
beside.join()
model.load_state_dict(twin.state_dict())
measure(model)
