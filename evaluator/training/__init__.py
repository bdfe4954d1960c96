"""A run of kind `train`: the candidate trains, the scorer scores, the audit asks again."""
