"""Where prices come from; the only home of DataFrames and of the network."""
