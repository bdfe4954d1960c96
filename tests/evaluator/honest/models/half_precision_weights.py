import torch
from small import Small, measure, train


class Half(Small):
    def mix(self, x):
        return super().mix(x.float()).to(torch.bfloat16)


model = Half()
model.embedding.bfloat16()
model.mlp.bfloat16()
model.scale.data = model.scale.data.bfloat16()
measure(train(model))
