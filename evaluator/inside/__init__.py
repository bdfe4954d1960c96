"""What runs inside jails. Nothing here is trusted by the scorer; the scorer shares only `frames` with it."""
