"""evaluate: how good models are, on days they never saw and on the evenings since."""
