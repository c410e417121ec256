"""A conversation as data: typed steps, the messages they become, and calls of tools."""
