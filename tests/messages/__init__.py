"""Claude's Messages API on loopback: its refusals, its cache, its streams, minds on a script, failures on demand."""
