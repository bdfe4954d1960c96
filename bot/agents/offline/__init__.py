"""The offline search: it turns constants, learns from the ledger, and needs no model and no network."""
