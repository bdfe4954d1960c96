from small import TIME_BUDGET, Small, measure, train

measure(train(Small(), budget=8 * TIME_BUDGET))
