from small import Small, measure, train
from torch.nn.utils import parametrizations

model = Small()
parametrizations.weight_norm(model.value)
parametrizations.spectral_norm(model.mlp[0])
measure(train(model))
