"""Data set loaders, one per family."""
