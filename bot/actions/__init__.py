"""GitHub Actions around the loop: outputs, summaries, log commands, and the chain of workflow runs."""
