"""What every room may lean on: processes, words by others, credentials, patience. Knows none of them."""
