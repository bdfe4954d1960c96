# a small one, for a laptop
eval_iters = 10
batch_size = 16
n_embd = 48
max_iters = 120
out_dir = "out-letters"
