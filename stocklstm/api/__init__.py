"""The workflows over HTTP: what `stocklstm serve` runs (extra: api)."""
