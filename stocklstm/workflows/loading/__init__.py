"""A version ready to forecast: the model of one ticker, or a pooled one."""
