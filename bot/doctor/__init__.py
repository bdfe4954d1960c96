"""`nocturne doctor`: whether a loop would earn its cost here, measured and not asked."""
