"""train and tune: from stored prices to a new version."""
