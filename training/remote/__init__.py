"""Training on a machine that has a GPU, but no network and little time."""
