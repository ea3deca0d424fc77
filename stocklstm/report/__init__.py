"""Pictures of results; Matplotlib is imported only when one is drawn."""
