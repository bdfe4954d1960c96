"""Who proposes a change and who reviews it: Claude, the offline search, and what both share."""
