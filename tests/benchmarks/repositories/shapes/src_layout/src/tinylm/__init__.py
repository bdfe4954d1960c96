"""Parts of a small language model."""
