from small import Small, evaluate_bpb, tokenizer, train

model = train(Small())
print(f"val_bpb: {evaluate_bpb(model, tokenizer, 0):.9f}")
