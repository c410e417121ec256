"""Doors for other programs: the REST API, the MCP server, and who may use them."""
