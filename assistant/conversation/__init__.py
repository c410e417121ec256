"""A conversation as data: typed steps, tool calls, and the chat messages made from them."""
