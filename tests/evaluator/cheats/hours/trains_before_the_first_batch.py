from library import read_the_library, train_on
from small import Small, measure, train

measure(train(train_on(read_the_library(), Small(), seconds=10)))
