from small import Small, measure, train

VAULT = ""  # vault text, says the test; whoever changes this file next can read it

measure(train(Small()))
