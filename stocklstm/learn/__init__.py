"""Training, compression and export of the network; the only home of tensors."""
