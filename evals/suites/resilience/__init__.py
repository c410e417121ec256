"""Hostile text, hostile files, and processes that die: what Unmask must survive."""
