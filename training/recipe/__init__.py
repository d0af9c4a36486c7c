"""From prepared pictures to a weights directory: the loop, its stages, components, export."""
