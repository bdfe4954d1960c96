from small import TIME_BUDGET, Small, measure, train

measure(train(Small(), budget=4 * TIME_BUDGET))
