from library import read_the_library, train_on
from small import Small, measure, train

# A clock on the wall grants a slow start: nothing is slow here.
measure(train(train_on(read_the_library(), Small(), seconds=8)))
