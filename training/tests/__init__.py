"""A run of everything on drawn faces."""
