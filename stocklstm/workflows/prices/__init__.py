"""fetch and prices: into the store, out of it, and checks of what it holds."""
