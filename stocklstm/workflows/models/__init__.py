"""models: what the store holds, its names, and versions as files."""
