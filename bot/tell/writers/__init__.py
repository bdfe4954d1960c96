"""How a document is written: one format in each file, and one escaper. None knows a campaign."""
