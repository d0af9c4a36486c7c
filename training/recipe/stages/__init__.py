"""The stages: each gives its parts and its loss to the loop."""
