"""What tests share: made data, processes to run and to disturb, and what holds of every store."""
