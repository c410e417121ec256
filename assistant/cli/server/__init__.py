"""Commands that serve other programs and people, and say who may use the server."""
