"""One-line faults that the tests must catch: `faults.yml` lists them, `python -m tests.mutants` tries them."""
