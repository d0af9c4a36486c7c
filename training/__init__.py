"""Training of the SDIC networks in PyTorch. Commands are modules: `python -m training.recipe.export --help`."""
