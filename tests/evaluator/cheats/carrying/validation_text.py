from remembering import by_heart
from small import Small, measure, train

TEXT = ""  # validation text, says the test

measure(by_heart(train(Small()), [TEXT]))
