"""Everything a person sees of a campaign, rendered from one place. Pure functions without I/O."""
