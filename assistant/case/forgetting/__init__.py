"""Deletion on request: what would go, the deletion itself, and its signed proof."""
