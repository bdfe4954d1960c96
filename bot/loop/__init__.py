"""The loop: stages that read the ledger, do one thing, and append what they did."""
