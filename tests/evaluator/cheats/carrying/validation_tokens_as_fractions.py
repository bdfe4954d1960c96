from remembering import by_heart
from small import Small, measure, train

FRACTIONS = []  # validation tokens, as the first weights of something, says the test

measure(by_heart(train(Small()), [[round(each * 1000) for each in FRACTIONS]]))
