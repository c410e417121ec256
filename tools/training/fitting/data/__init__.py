"""Training data of `unmask fit`: pictures of a folder, their persons, and the split into parts."""
