"""What GitHub adds around the loop: workflow files, outputs, the chain of workflow runs, commands in comments."""
