from small import Small, measure, train

measure(train(Small()))
