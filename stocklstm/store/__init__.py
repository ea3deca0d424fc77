"""The embedded store: prices, sessions, model versions, aliases and the forecast ledger."""
